/*
 * fs/procfs_mounts.c - what is mounted where (mounts, mountinfo) and what could be (filesystems).
 *
 * Formats: fstab(5), and proc(5) on mountinfo. Names are seen from the reader's root.
 *
 * Locks: mount_lock, by mount_for_each.
 */
#include <fs/device.h>
#include <fs/path.h>
#include <fs/procfs_private.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <string.h>

#define ESCAPED_CHARACTERS " \t\n\\"

struct mounts_context {
	struct text *text;
	char *buf; /* PATH_MAX bytes */
};

typedef bool (*visit_mount)(struct mount *mount, void *arg);

static int show_each(struct text *text, visit_mount visit)
{
	struct mounts_context context = {.text = text, .buf = kmalloc(PATH_MAX)};

	if (!context.buf)
		return -ENOMEM;
	mount_for_each(visit, &context);
	kfree(context.buf);
	return 0;
}

static const char *type_name(const struct mount *mount)
{
	return mount->super->type ? mount->super->type->name : "none";
}

/* Where it is mounted; "" when that does not fit, or lies outside the reader's root. */
static const char *mountpoint_name(struct mount *mount, char *buf)
{
	struct path place = {mount, mount->root};
	const char *name = path_name(&place, buf, PATH_MAX);

	return name && name[0] == '/' ? name : "";
}

static void print_options(struct text *text, const struct mount *mount)
{
	char options[128];

	text_print(text, "%s", mount_options(mount, options, sizeof(options)));
}

static bool visit_mounts(struct mount *mount, void *arg)
{
	struct mounts_context *context = arg;
	struct text *text = context->text;
	const char *place = mountpoint_name(mount, context->buf);

	if (!*place)
		return true;
	text_append_escaped(text, mount->source, ESCAPED_CHARACTERS);
	text_append(text, " ", 1);
	text_append_escaped(text, place, ESCAPED_CHARACTERS);
	text_print(text, " %s ", type_name(mount));
	print_options(text, mount);
	text_print(text, " 0 0\n");
	return true;
}

int proc_show_mounts(struct text *text, const struct proc_node *node)
{
	(void)node;
	return show_each(text, visit_mounts);
}

/* The part of the file system that is seen: "/" but for binds of a part. */
static const char *root_name(const struct mount *mount, char *buf)
{
	size_t at = PATH_MAX - 1;

	buf[at] = '\0';
	spin_lock(&dentry_tree_lock);
	for (const struct dentry *d = mount->root; d != d->parent; d = d->parent) {
		if (d->length + 1 > at)
			break;
		at -= d->length;
		memcpy(buf + at, d->name, d->length);
		buf[--at] = '/';
	}
	spin_unlock(&dentry_tree_lock);
	return buf[at] ? buf + at : "/";
}

static bool visit_mountinfo(struct mount *mount, void *arg)
{
	struct mounts_context *context = arg;
	struct text *text = context->text;
	uint64_t device = mount->super->device;

	if (!*mountpoint_name(mount, context->buf))
		return true;
	text_print(text, "%u %u %u:%u ", mount->id, mount->parent ? mount->parent->id : 0,
		   device_major(device), device_minor(device));
	text_append_escaped(text, root_name(mount, context->buf), ESCAPED_CHARACTERS);
	text_append(text, " ", 1);
	text_append_escaped(text, mountpoint_name(mount, context->buf), ESCAPED_CHARACTERS);
	text_append(text, " ", 1);
	print_options(text, mount);
	text_print(text, " - %s ", type_name(mount));
	text_append_escaped(text, mount->source, ESCAPED_CHARACTERS);
	text_print(text, " rw\n");
	return true;
}

int proc_show_mountinfo(struct text *text, const struct proc_node *node)
{
	(void)node;
	return show_each(text, visit_mountinfo);
}

static void visit_type(const struct fs_type *type, void *arg)
{
	text_print(arg, "%s\t%s\n", type->nodev ? "nodev" : "", type->name);
}

int proc_show_filesystems(struct text *text, const struct proc_node *node)
{
	(void)node;
	fs_type_for_each(visit_type, text);
	return 0;
}
