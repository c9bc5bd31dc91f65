/*
 * fs/procfs.c - /proc: the file system that shows the system's own state (proc(5)).
 *
 * The fixed part of the tree (meminfo, sys/kernel/...) is made once, of pinned dentries. Below
 * it, /proc/<pid> and everything in it is looked up on demand; those dentries live while
 * somebody uses them, and `revalidate` drops them when the process is gone. There is one super
 * block; every mount shows it.
 *
 * Text files are written when a read begins at position 0, into a text of the open file, from
 * which all its reads are served: a program that reads in small pieces sees one moment.
 *
 * Locks: the text is written with only file->pos_lock held (or nothing: pread), so `show` may
 * take any lock; proc_open.lock guards its exchange and the copying out of it.
 *
 * Not here: what the files say (procfs_*.c). Tests: tests/guest/proc_*.c.
 */
#include <fs/fs.h>
#include <fs/procfs_private.h>
#include <kernel/base/panic.h>
#include <linux/magic.h>
#include <mm/heap.h>
#include <string.h>
#include <vsnprintf.h>

/* Text files */

struct proc_open {
	struct mutex lock; /* RANK_INODE: user memory is written under it */
	struct text text;  /* [lock] */
	_Atomic bool written; /* [lock] to write */
};

static int text_open(struct inode *inode, struct file *file)
{
	const struct proc_node *node = proc_node_of(inode);
	struct proc_open *open;

	if (node->entry->guarded && !process_may_access(node->process))
		return -EACCES;
	open = kzalloc(sizeof(*open));
	if (!open)
		return -ENOMEM;
	mutex_init(&open->lock, RANK_INODE);
	text_init(&open->text);
	file->data = open;
	return 0;
}

static void text_release(struct file *file)
{
	struct proc_open *open = file->data;

	text_free(&open->text);
	kfree(open);
}

/* Writes the text anew. */
static int text_refresh(struct file *file)
{
	const struct proc_node *node = proc_node_of(file->inode);
	struct proc_open *open = file->data;
	struct text fresh, old;
	int error;

	text_init(&fresh);
	error = node->entry->show(&fresh, node);
	if (!error)
		error = fresh.error;
	if (error) {
		text_free(&fresh);
		return error;
	}
	mutex_lock(&open->lock);
	old = open->text;
	open->text = fresh;
	atomic_store(&open->written, true);
	mutex_unlock(&open->lock);
	text_free(&old);
	return 0;
}

static ssize_t text_file_read(struct file *file, struct io_buffer *io, uint64_t pos)
{
	struct proc_open *open = file->data;
	ssize_t done;

	if (pos == 0 || !atomic_load(&open->written)) {
		int error = text_refresh(file);

		if (error)
			return error;
	}
	mutex_lock(&open->lock);
	done = text_read(&open->text, io, pos);
	mutex_unlock(&open->lock);
	return done;
}

/* Linux's two answers: files of the system are EIO, those of a process ENODEV. */
static int text_mmap(struct file *file, struct mem_zone *zone)
{
	(void)zone;
	return proc_node_of(file->inode)->process ? -ENODEV : -EIO;
}

const struct file_operations proc_text_operations = {
	.mmap = text_mmap,
	.open = text_open,
	.release = text_release,
	.read = text_file_read,
};

/* Inodes */

void proc_node_release(struct inode *inode)
{
	struct proc_node *node = inode->data;

	if (node->process)
		process_put(node->process);
	kfree(node);
}

static const struct inode_operations file_operations_of_proc = {
	.release = proc_node_release,
};

int proc_attach(struct dentry *dentry, const struct proc_node *node, uint32_t mode,
		const struct inode_operations *ops, const struct file_operations *file_ops)
{
	struct proc_node *copy = kmalloc(sizeof(*copy));
	struct inode *inode;

	if (!copy)
		return -ENOMEM;
	inode = inode_create(dentry->super, mode, ops ? ops : &file_operations_of_proc, file_ops);
	if (!inode) {
		kfree(copy);
		return -ENOMEM;
	}
	*copy = *node;
	process_get(copy->process);
	inode->data = copy;
	inode->uid = copy->process->euid;
	inode->gid = copy->process->egid;
	dentry_attach(dentry, inode);
	return 0;
}

int proc_attach_entry(struct dentry *dentry, const struct proc_node *dir,
		      const struct proc_entry *entry)
{
	struct proc_node node = {.entry = entry, .process = dir->process, .tid = dir->tid};

	return proc_attach(dentry, &node, entry->mode, entry->ops,
			   entry->show ? &proc_text_operations : entry->file_ops);
}

int proc_parse_number(const struct dentry *dentry)
{
	int number = 0;

	if (dentry->length == 0 || (dentry->name[0] == '0' && dentry->length > 1))
		return -1;
	for (uint32_t i = 0; i < dentry->length; i++) {
		char c = dentry->name[i];

		if (c < '0' || c > '9' || number > (INT32_MAX - 9) / 10)
			return -1;
		number = number * 10 + (c - '0');
	}
	return number;
}

/* Reading directories */

bool proc_put_number(struct dir_context *context, unsigned number, uint64_t inode, unsigned type,
		     uint64_t next_position)
{
	char name[16];
	int length = snprintf(name, sizeof(name), "%u", number);

	if (!context->put(context, name, (size_t)length, inode, type, next_position))
		return false;
	context->position = next_position;
	return true;
}

bool proc_put_dots(struct file *file, struct dir_context *context)
{
	struct dentry *parent;
	bool room = true;

	if (context->position == 0) {
		if (!context->put(context, ".", 1, file->inode->number, DT_OF_MODE(S_IFDIR), 1))
			return false;
		context->position = 1;
	}
	if (context->position == 1) {
		parent = dentry_parent(file->path.dentry);
		room = context->put(context, "..", 2, parent->inode->number, DT_OF_MODE(S_IFDIR),
				    2);
		dentry_put(parent);
		if (room)
			context->position = 2;
	}
	return room;
}

/* The root: fixed names, then a directory for each process */

static int root_lookup(struct inode *dir, struct dentry *dentry)
{
	struct proc_node node = {0};
	int pid = proc_parse_number(dentry), error;

	(void)dir;
	node.process = pid > 0 ? process_find(pid) : NULL;
	if (!node.process)
		return -ENOENT;
	error = proc_attach(dentry, &node, S_IFDIR | 0555, &proc_process_dir_operations,
			    &proc_process_dir_file_operations);
	process_put(node.process);
	return error;
}

static bool root_revalidate(struct inode *dir, struct dentry *dentry)
{
	(void)dir;
	return dentry->inode->ops != &proc_process_dir_operations ||
	       proc_process_valid(dentry->inode);
}

static int root_readdir(struct file *file, struct dir_context *context)
{
	struct process *process;
	bool end, room = true;
	int error, pid;

	if (context->position < TREE_POSITION_END) {
		error = tree_readdir(file, context, &end);
		if (error || !end)
			return error;
		context->position = TREE_POSITION_END;
	}
	while (room) {
		process = process_next((int)(context->position - TREE_POSITION_END));
		if (!process)
			break;
		pid = process->pid;
		process_put(process);
		room = proc_put_number(context, (unsigned)pid, (uint64_t)pid, DT_OF_MODE(S_IFDIR),
				       TREE_POSITION_END + (uint64_t)pid + 1);
	}
	return 0;
}

static const struct inode_operations root_operations = {
	.lookup = root_lookup,
	.revalidate = root_revalidate,
};

static const struct file_operations root_file_operations = {
	.readdir = root_readdir,
};

/* "self" and "thread-self" */

static ssize_t self_readlink(struct inode *inode, char *buf, size_t size)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", current_process()->pid);

	(void)inode;
	memcpy(buf, text, MIN((size_t)length, size));
	return (ssize_t)MIN((size_t)length, size);
}

static ssize_t thread_self_readlink(struct inode *inode, char *buf, size_t size)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%d/task/%d", current_process()->pid,
			      current_task()->tid);

	(void)inode;
	memcpy(buf, text, MIN((size_t)length, size));
	return (ssize_t)MIN((size_t)length, size);
}

static const struct inode_operations self_operations = {.readlink = self_readlink};
static const struct inode_operations thread_self_operations = {.readlink = thread_self_readlink};

static int add_link(struct dentry *root, const char *name, const struct inode_operations *ops)
{
	struct inode *inode = inode_create(root->super, S_IFLNK | 0777, ops, NULL);

	return inode ? tree_add(root, name, inode, NULL) : -ENOMEM;
}

/* Making it */

int proc_add_files(struct dentry *parent, const struct proc_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct proc_entry *entry = &entries[i];
		struct proc_node *node = kzalloc(sizeof(*node));
		int error;

		if (!node)
			return -ENOMEM;
		node->entry = entry;
		error = tree_add_file(parent, entry->name, entry->mode & ~(uint32_t)S_IFMT,
				      entry->show ? &proc_text_operations : entry->file_ops, node);
		if (error)
			return error;
	}
	return 0;
}

static struct super_block *proc_super;

static int proc_mount(const struct fs_type *type, const char *source, unsigned long flags,
		      const char *data, struct super_block **super)
{
	(void)type;
	(void)source;
	(void)flags;
	(void)data;
	super_get(proc_super);
	*super = proc_super;
	return 0;
}

static struct fs_type proc_type = {.name = "proc", .nodev = true, .mount = proc_mount};

static int make_tree(void)
{
	struct inode *inode;
	struct dentry *root;
	int error;

	proc_super = super_create(&proc_type, NULL, PROC_SUPER_MAGIC, NULL);
	if (!proc_super)
		return -ENOMEM;
	inode = inode_create(proc_super, S_IFDIR | 0555, &root_operations, &root_file_operations);
	if (!inode)
		return -ENOMEM;
	root = proc_super->root = dentry_create_root(proc_super, inode);
	if (!root)
		return -ENOMEM;
	error = add_link(root, "self", &self_operations);
	if (!error)
		error = add_link(root, "thread-self", &thread_self_operations);
	if (!error)
		error = tree_add_symlink(root, "mounts", "self/mounts");
	if (!error)
		error = proc_system_init(root);
	if (!error)
		error = proc_processors_init(root);
	return error ? error : proc_sys_init(root);
}

/* Boot only: what a failure leaves behind does not matter. */
void procfs_init(void)
{
	if (make_tree())
		panic("no memory for /proc");
	fs_type_register(&proc_type);
}
