/*
 * fs/fs_init.c - sets the file layer up at boot: root, /dev, /proc, the first task's context.
 *
 * kernel_main calls fs_init once the heap and the first task are there, then unpacks the initrd
 * over the root (initrd.c), then fs_open_console. A failure here is out of memory at boot: panic.
 */
#include <fs/dentry.h>
#include <fs/device.h>
#include <fs/file_table.h>
#include <fs/fs.h>
#include <fs/fs_context.h>
#include <fs/fs_private.h>
#include <fs/name.h>
#include <fs/tmpfs.h>
#include <kernel/base/panic.h>

static void must_work(int error, const char *what)
{
	if (error < 0)
		panic("fs_init: %s: error %d", what, -error);
}

static void make_root(void)
{
	struct super_block *super;
	struct path root;

	must_work(tmpfs_create(0, 0755, &super), "root file system");
	must_work(mount_root_init(super, &root), "root mount");
	must_work(fs_context_create(&root, &current_task()->fs), "directories");
	must_work(file_table_create(&current_task()->files), "descriptors");
}

void fs_init(void)
{
	inode_init_cache();
	file_init_cache();
	dentry_init();
	tmpfs_init();
	tmpfs_init_nameless();
	anon_super = super_create(NULL, NULL, PIPEFS_MAGIC, NULL);
	must_work(anon_super ? 0 : -ENOMEM, "files without names");
	make_root();
	pipe_init();
	must_work(name_mkdir(AT_FDCWD, "/dev", 0755), "/dev");
	must_work(device_mount_devfs(), "/dev");
	devfs_init();
	must_work(name_mkdir(AT_FDCWD, "/proc", 0555), "/proc");
	procfs_init();
	must_work(mount_at("proc", "/proc", "proc", 0, NULL), "/proc");
}

int fs_open_console(void)
{
	struct file *file;
	int result = name_open(AT_FDCWD, "/dev/console", O_RDWR, 0, &file);

	if (result)
		return result;
	for (int i = 0; i < 3; i++) {
		file_get(file);
		result = file_table_install(file, 0, 0);
		if (result < 0) {
			file_put(file);
			break;
		}
	}
	file_put(file);
	return result < 0 ? result : 0;
}
