/*
 * fs/path.c - from a string to a place in the tree of names: path_resolution(7).
 *
 * Called by every system call that takes a name. A struct walk stands at a directory
 * (walk->at) with a string still to go (walk->rest). One step takes one component off it:
 *
 *   component      where it leads
 *   "."            nowhere
 *   ".."           the parent, out of a mount to what it lies on; not above the process's root
 *   a name         dentry_lookup, then into whatever is mounted there
 *   a link         its text replaces the component in the string; an absolute one starts at
 *                  the root again. Links of /proc lead straight to a place.
 *
 * Before each component the directory must be one (ENOTDIR) and searchable (EACCES). The last
 * component is the caller's business (walk_to_parent); path_lookup is the usual caller.
 *
 * Links are not followed by recursion: the text and what is left of the string become one new
 * string, and walk->links counts them (ELOOP).
 *
 * Locks: none held between steps; references keep what is stood on alive. Names may change
 * meanwhile: each step is right at its own moment, as POSIX asks.
 * Not here: the names in memory (dentry.c), mounts (mount.c). Tests: tests/host/test_path.c.
 */
#include <fs/file.h>
#include <fs/file_table.h>
#include <fs/fs_context.h>
#include <fs/fs_private.h>
#include <fs/mount.h>
#include <fs/path.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <mm/user_copy.h>
#include <string.h>

void path_get(const struct path *path)
{
	mount_get(path->mount);
	dentry_get(path->dentry);
}

void path_put(const struct path *path)
{
	dentry_put(path->dentry);
	mount_put(path->mount);
}

static bool path_equal(const struct path *a, const struct path *b)
{
	return a->mount == b->mount && a->dentry == b->dentry;
}

/* Stands at `place` from now on; takes over its references. */
static void walk_go(struct walk *walk, const struct path *place)
{
	path_put(&walk->at);
	walk->at = *place;
}

static void walk_go_to_root(struct walk *walk)
{
	path_get(&walk->root);
	walk_go(walk, &walk->root);
}

/* --- beginning and end --- */

static int start_at_descriptor(int descriptor, struct path *path)
{
	struct borrowed_file borrowed;
	int error = 0;

	if (!file_borrow(descriptor, &borrowed))
		return -EBADF;
	if (borrowed.file->path.dentry) {
		*path = borrowed.file->path;
		path_get(path);
	} else {
		error = -ENOTDIR;
	}
	file_return(&borrowed);
	return error;
}

int walk_begin(struct walk *walk, int dirfd, const char *name, unsigned flags)
{
	int error = 0;

	*walk = (struct walk){.rest = name, .uid = fs_uid(), .gid = fs_gid()};
	if (flags & LOOKUP_REAL_IDS) {
		walk->uid = fs_real_uid();
		walk->gid = fs_real_gid();
	}
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	fs_context_root(&walk->root);
	if (*name == '/') {
		walk->at = walk->root;
		path_get(&walk->at);
	} else if (dirfd == AT_FDCWD) {
		fs_context_cwd(&walk->at);
	} else {
		error = start_at_descriptor(dirfd, &walk->at);
	}
	if (error) {
		path_put(&walk->root);
		walk->root = (struct path){0};
	}
	return error;
}

void walk_end(struct walk *walk)
{
	path_put(&walk->at);
	path_put(&walk->root);
	kfree(walk->buffer);
}

/* --- one step --- */

/* ".." */
static void walk_up(struct walk *walk)
{
	struct path place = walk->at;

	path_get(&place);
	while (!path_equal(&place, &walk->root)) {
		struct path below = place;

		if (place.dentry != place.mount->root) {
			place.dentry = dentry_parent(below.dentry);
			dentry_put(below.dentry);
			mount_cross(&place);
			break;
		}
		spin_lock(&dentry_tree_lock);
		place = (struct path){below.mount->parent, below.mount->mountpoint};
		if (place.mount)
			path_get(&place);
		spin_unlock(&dentry_tree_lock);
		if (!place.mount) {
			place = below; /* the first mount, or one that was detached: no way up */
			break;
		}
		path_put(&below);
	}
	walk_go(walk, &place);
}

static int readlink_into(struct inode *link, char *buf, size_t size)
{
	ssize_t length;

	if (!link->ops->readlink)
		return -EINVAL;
	length = link->ops->readlink(link, buf, size - 1);
	if (length <= 0)
		return length ? (int)length : -ENOENT;
	buf[length] = '\0';
	inode_accessed(link);
	return (int)length;
}

/* The link's text, and behind it what is still to be walked, become the string to walk. */
static int walk_text(struct walk *walk, struct inode *link, bool trailing_slash)
{
	size_t rest = strlen(walk->rest);
	char *buffer = kmalloc(PATH_MAX + rest + 2);
	int length;

	if (!buffer)
		return -ENOMEM;
	length = readlink_into(link, buffer, PATH_MAX);
	if (length < 0) {
		kfree(buffer);
		return length;
	}
	if (rest || trailing_slash)
		buffer[length++] = '/';
	memcpy(buffer + length, walk->rest, rest + 1);
	kfree(walk->buffer);
	walk->buffer = buffer;
	walk->rest = buffer;
	if (*buffer == '/')
		walk_go_to_root(walk);
	return 0;
}

int walk_follow(struct walk *walk, struct dentry *link, bool trailing_slash)
{
	struct inode *inode = link->inode;
	struct path place;
	int error;

	if (walk->links++ >= PATH_LINKS_MAX)
		return -ELOOP;
	if (!inode->ops->follow)
		return walk_text(walk, inode, trailing_slash);
	error = inode->ops->follow(inode, &place);
	if (error)
		return error;
	walk_go(walk, &place);
	return 1;
}

/* Takes the next component off the string: false when there is none. */
static bool next_component(struct walk *walk, struct last_name *last)
{
	const char *text = walk->rest, *end;

	while (*text == '/')
		text++;
	if (!*text) {
		walk->rest = text;
		return false;
	}
	for (end = text; *end && *end != '/'; end++)
		;
	last->name = (struct name){.text = text, .length = (uint32_t)(end - text)};
	last->kind = LAST_NAME;
	if (text[0] == '.' && last->name.length == 1)
		last->kind = LAST_DOT;
	else if (text[0] == '.' && text[1] == '.' && last->name.length == 2)
		last->kind = LAST_DOTDOT;
	last->trailing_slash = *end == '/';
	while (*end == '/')
		end++;
	walk->rest = end;
	return true;
}

/*
 * Steps to `component`. A link is followed where `follow` says so. 0: at the place; 1: at the
 * place, by a link that led straight there; 2: a link's text is to be walked now.
 */
static int walk_step(struct walk *walk, const struct last_name *component, bool follow)
{
	struct path place;
	int result;

	if (component->kind == LAST_DOTDOT)
		walk_up(walk);
	if (component->kind != LAST_NAME)
		return 0;
	result = dentry_lookup(walk->at.dentry, &component->name, &place.dentry);
	if (result)
		return result;
	place.mount = walk->at.mount;
	mount_get(place.mount);
	mount_cross(&place);
	if (!follow || !S_ISLNK(place.dentry->inode->mode)) {
		walk_go(walk, &place);
		return 0;
	}
	result = walk_follow(walk, place.dentry, component->trailing_slash);
	path_put(&place);
	return result == 0 ? 2 : result;
}

static int may_search(const struct walk *walk)
{
	const struct inode *inode = walk->at.dentry->inode;

	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	return inode_permission_as(inode, MAY_EXEC, walk->uid, walk->gid);
}

int walk_to_parent(struct walk *walk, struct last_name *last)
{
	int result;

	*last = (struct last_name){.kind = LAST_ROOT};
	while (next_component(walk, last)) {
		result = may_search(walk);
		if (result)
			return result;
		if (last->kind == LAST_NAME)
			last->name.hash = name_hash(last->name.text, last->name.length);
		if (!*walk->rest)
			return 0;
		result = walk_step(walk, last, true);
		if (result < 0)
			return result;
		*last = (struct last_name){.kind = LAST_ROOT};
	}
	return 0;
}

/* --- whole lookups --- */

int path_lookup(int dirfd, const char *name, unsigned flags, struct path *path)
{
	bool directory = flags & LOOKUP_DIRECTORY;
	struct last_name last;
	struct walk walk;
	int result;

	result = walk_begin(&walk, dirfd, name, flags);
	if (result)
		return result;
	do {
		result = walk_to_parent(&walk, &last);
		if (result || last.kind == LAST_ROOT)
			break;
		directory |= last.trailing_slash;
		result = walk_step(&walk, &last, (flags & LOOKUP_FOLLOW) || last.trailing_slash);
	} while (result == 2);
	if (result >= 0 && directory && !S_ISDIR(walk.at.dentry->inode->mode))
		result = -ENOTDIR;
	if (result >= 0) {
		*path = walk.at;
		path_get(path);
		result = 0;
	}
	walk_end(&walk);
	return result;
}

int path_copy_from_user(uintptr_t user, char **name)
{
	char *copy = kmalloc(PATH_MAX);
	ssize_t length;

	if (!copy)
		return -ENOMEM;
	length = copy_string_from_user(copy, user, PATH_MAX);
	if (length < 0) {
		kfree(copy);
		return (int)length;
	}
	*name = copy;
	return 0;
}

int path_lookup_user(int dirfd, uintptr_t user, unsigned flags, struct path *path)
{
	char *name = NULL;
	int error = path_copy_from_user(user, &name);

	if (error)
		return error;
	error = path_lookup(dirfd, name, flags, path);
	kfree(name);
	return error;
}

int path_lookup_at(int dirfd, uintptr_t user, int at_flags, struct path *path)
{
	return path_lookup_user(dirfd, user,
				(at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
					(at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
				path);
}

/* --- and back --- */

/* A string that grows at its front. */
struct name_builder {
	char *buf;
	size_t start; /* of the text, which ends with the buffer */
	bool overflow;
};

static void put_front(struct name_builder *builder, const char *text, size_t length)
{
	if (length > builder->start) {
		builder->overflow = true;
		return;
	}
	builder->start -= length;
	memcpy(builder->buf + builder->start, text, length);
}

/* From `at` up to `root`, or as far as it goes (root->mount NULL). dentry_tree_lock is held. */
static void put_components(struct name_builder *builder, struct path at, const struct path *root)
{
	size_t end = builder->start;

	if (at.dentry->unlinked)
		put_front(builder, " (deleted)", 10);
	end = builder->start;
	while (!path_equal(&at, root)) {
		if (at.dentry == at.mount->root) {
			if (!at.mount->parent && !root->mount)
				break;
			if (!at.mount->parent) {
				put_front(builder, "(unreachable)", 13);
				return;
			}
			at = (struct path){at.mount->parent, at.mount->mountpoint};
			continue;
		}
		put_front(builder, at.dentry->name, at.dentry->length);
		put_front(builder, "/", 1);
		at.dentry = at.dentry->parent;
	}
	if (builder->start == end)
		put_front(builder, "/", 1);
}

const char *path_name(const struct path *path, char *buf, size_t size)
{
	struct name_builder builder = {.buf = buf, .start = size};
	struct path root = {0};

	if (current_task()->fs)
		fs_context_root(&root);
	put_front(&builder, "", 1); /* the NUL */
	spin_lock(&dentry_tree_lock);
	put_components(&builder, *path, &root);
	spin_unlock(&dentry_tree_lock);
	path_put(&root);
	if (builder.overflow)
		return NULL;
	memmove(buf, buf + builder.start, size - builder.start);
	return buf;
}
