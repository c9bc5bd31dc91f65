/*
 * fs/procfs_fd.c - the links of /proc/<pid> that lead straight to a place: fd/N, exe, cwd, root;
 * and fdinfo/N.
 *
 * Reading such a link gives a name for people; following it (open, stat) goes to the file itself,
 * whatever its name is by now. A file without a name (a pipe) gets a place of its own.
 *
 * Locks: none held across anything that sleeps; references keep tables and files alive.
 */
#include <fs/file_table.h>
#include <fs/fs_context.h>
#include <fs/path.h>
#include <fs/procfs_private.h>
#include <linux/limits.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <string.h>

/* What a link shows is made in a buffer of PATH_MAX bytes, then cut to the caller's. */
typedef int (*name_link)(const struct proc_node *node, char *buf);

static ssize_t readlink_by(const struct inode *inode, name_link name_it, char *buf, size_t size)
{
	char *name = kmalloc(PATH_MAX);
	ssize_t result;

	if (!name)
		return -ENOMEM;
	result = name_it(proc_node_of(inode), name);
	if (!result) {
		size_t length = MIN(strlen(name), size);

		memcpy(buf, name, length);
		result = (ssize_t)length;
	}
	kfree(name);
	return result;
}

/* The place of an open file. */
static int file_place(struct file *file, struct path *path)
{
	if (!file->path.dentry)
		return mount_detached(file->inode, path);
	*path = file->path;
	path_get(path);
	return 0;
}

/* fd/N */

/* With a reference, or NULL. */
static struct file *node_file(const struct proc_node *node)
{
	struct file_table *table = file_table_of(node->process);
	struct file *file;

	if (!table)
		return NULL;
	file = file_table_find(table, node->descriptor);
	file_table_drop(table);
	return file;
}

static int fd_name(const struct proc_node *node, char *buf)
{
	struct file *file = node_file(node);

	if (!file)
		return -ENOENT;
	(void)file_path_name(file, buf, PATH_MAX);
	file_put(file);
	return 0;
}

static ssize_t fd_readlink(struct inode *inode, char *buf, size_t size)
{
	return readlink_by(inode, fd_name, buf, size);
}

static int fd_follow(struct inode *inode, struct path *path)
{
	struct file *file = node_file(proc_node_of(inode));
	int error;

	if (!file)
		return -ENOENT;
	error = file_place(file, path);
	file_put(file);
	return error;
}

static const struct inode_operations fd_link_operations = {
	.readlink = fd_readlink,
	.follow = fd_follow,
	.release = proc_node_release,
};

/* fdinfo/N */

static int show_fdinfo(struct text *text, const struct proc_node *node)
{
	struct file_table *table = file_table_of(node->process);
	struct file *file = table ? file_table_find(table, node->descriptor) : NULL;

	if (file) {
		uint32_t flags = atomic_load(&file->flags) |
				 file_table_flags(table, node->descriptor);

		text_print(text, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
			   (unsigned long long)file->pos, flags,
			   file->path.mount ? file->path.mount->id : 0,
			   (unsigned long long)file->inode->number);
		file_put(file);
	}
	if (table)
		file_table_drop(table);
	return file ? 0 : -ENOENT;
}

static const struct proc_entry fdinfo_entry = {
	.name = "fdinfo",
	.mode = S_IFREG | 0444,
	.show = show_fdinfo,
};

/* Both directories: a name for each open descriptor */

static bool descriptor_open(const struct proc_node *node)
{
	struct file *file = node_file(node);

	if (file)
		file_put(file);
	return file != NULL;
}

/* The node for the name, or false if no such descriptor is open. */
static bool descriptor_node(const struct inode *dir, const struct dentry *dentry,
			    struct proc_node *node)
{
	int number = proc_parse_number(dentry);

	*node = *proc_node_of(dir);
	node->entry = NULL;
	node->descriptor = (unsigned)number;
	return number >= 0 && descriptor_open(node);
}

/* A link's permissions say how the descriptor may be used: proc(5). */
static uint32_t link_permissions(const struct proc_node *node)
{
	struct file *file = node_file(node);
	uint32_t permissions = 0;

	if (file) {
		permissions = (file->readable ? 0500u : 0) | (file->writable ? 0300u : 0);
		file_put(file);
	}
	return permissions;
}

static int fd_lookup(struct inode *dir, struct dentry *dentry)
{
	struct proc_node node;

	if (!descriptor_node(dir, dentry, &node))
		return -ENOENT;
	return proc_attach(dentry, &node, S_IFLNK | link_permissions(&node), &fd_link_operations,
			   NULL);
}

static int fdinfo_lookup(struct inode *dir, struct dentry *dentry)
{
	struct proc_node node;

	if (!descriptor_node(dir, dentry, &node))
		return -ENOENT;
	node.entry = &fdinfo_entry;
	return proc_attach(dentry, &node, fdinfo_entry.mode, NULL, &proc_text_operations);
}

/* A link's permissions depend on what is open there now: it is made anew each time. */
static bool fd_revalidate(struct inode *dir, struct dentry *dentry)
{
	const struct proc_node *node = proc_node_of(dentry->inode);

	(void)dir;
	return descriptor_open(node) &&
	       (dentry->inode->mode & 0777) == link_permissions(node);
}

static bool fdinfo_revalidate(struct inode *dir, struct dentry *dentry)
{
	(void)dir;
	return descriptor_open(proc_node_of(dentry->inode));
}

/* Positions: "." and "..", then 2 + the descriptor. */
static int descriptors_readdir(struct file *file, struct dir_context *context, unsigned type)
{
	struct file_table *table = file_table_of(proc_node_of(file->inode)->process);
	bool room = proc_put_dots(file, context);

	while (room && table) {
		int descriptor = file_table_next(table, (unsigned)(context->position - 2));

		if (descriptor < 0)
			break;
		room = proc_put_number(context, (unsigned)descriptor, (uint64_t)descriptor + 1,
				       type, (uint64_t)descriptor + 3);
	}
	if (table)
		file_table_drop(table);
	return 0;
}

static int fd_readdir(struct file *file, struct dir_context *context)
{
	return descriptors_readdir(file, context, DT_OF_MODE(S_IFLNK));
}

static int fdinfo_readdir(struct file *file, struct dir_context *context)
{
	return descriptors_readdir(file, context, DT_OF_MODE(S_IFREG));
}

const struct inode_operations proc_fd_dir_operations = {
	.lookup = fd_lookup,
	.revalidate = fd_revalidate,
	.release = proc_node_release,
};

const struct file_operations proc_fd_dir_file_operations = {
	.readdir = fd_readdir,
};

const struct inode_operations proc_fdinfo_dir_operations = {
	.lookup = fdinfo_lookup,
	.revalidate = fdinfo_revalidate,
	.release = proc_node_release,
};

const struct file_operations proc_fdinfo_dir_file_operations = {
	.readdir = fdinfo_readdir,
};

/* exe */

/* The program's file with a reference, or NULL (a kernel task, a zombie). */
static struct file *node_exe(const struct proc_node *node)
{
	struct mem_space *space = process_hold_space(node->process);
	struct file *exe;

	if (!space)
		return NULL;
	rw_read_lock(&space->lock);
	exe = space->exe;
	if (exe)
		file_get(exe);
	rw_read_unlock(&space->lock);
	mem_space_drop(space);
	return exe;
}

static int exe_name(const struct proc_node *node, char *buf)
{
	struct file *exe = node_exe(node);

	if (!exe)
		return -ENOENT;
	(void)file_path_name(exe, buf, PATH_MAX);
	file_put(exe);
	return 0;
}

static ssize_t exe_readlink(struct inode *inode, char *buf, size_t size)
{
	return readlink_by(inode, exe_name, buf, size);
}

static int exe_follow(struct inode *inode, struct path *path)
{
	struct file *exe = node_exe(proc_node_of(inode));
	int error;

	if (!exe)
		return -ENOENT;
	error = file_place(exe, path);
	file_put(exe);
	return error;
}

const struct inode_operations proc_exe_operations = {
	.readlink = exe_readlink,
	.follow = exe_follow,
	.release = proc_node_release,
};

/* cwd and root */

static int node_places(const struct proc_node *node, struct path *root, struct path *cwd)
{
	struct fs_context *context = fs_context_of(node->process);

	if (!context)
		return -ENOENT;
	fs_context_get_paths(context, root, cwd);
	fs_context_put(context);
	return 0;
}

static int place_name(const struct path *path, char *buf)
{
	return path_name(path, buf, PATH_MAX) ? 0 : -ENAMETOOLONG;
}

static int cwd_name(const struct proc_node *node, char *buf)
{
	struct path root, cwd;
	int error = node_places(node, &root, &cwd);

	if (error)
		return error;
	error = place_name(&cwd, buf);
	path_put(&root);
	path_put(&cwd);
	return error;
}

static int root_name(const struct proc_node *node, char *buf)
{
	struct path root, cwd;
	int error = node_places(node, &root, &cwd);

	if (error)
		return error;
	error = place_name(&root, buf);
	path_put(&root);
	path_put(&cwd);
	return error;
}

static ssize_t cwd_readlink(struct inode *inode, char *buf, size_t size)
{
	return readlink_by(inode, cwd_name, buf, size);
}

static ssize_t root_readlink(struct inode *inode, char *buf, size_t size)
{
	return readlink_by(inode, root_name, buf, size);
}

static int cwd_follow(struct inode *inode, struct path *path)
{
	struct path root;
	int error = node_places(proc_node_of(inode), &root, path);

	if (!error)
		path_put(&root);
	return error;
}

static int root_follow(struct inode *inode, struct path *path)
{
	struct path cwd;
	int error = node_places(proc_node_of(inode), path, &cwd);

	if (!error)
		path_put(&cwd);
	return error;
}

const struct inode_operations proc_cwd_operations = {
	.readlink = cwd_readlink,
	.follow = cwd_follow,
	.release = proc_node_release,
};

const struct inode_operations proc_root_operations = {
	.readlink = root_readlink,
	.follow = root_follow,
	.release = proc_node_release,
};
