/*
 * fs/memfd.c - memfd_create(2): a file in memory that has no name, only descriptors.
 *
 * It is a tmpfs file like others (tmpfs_create_nameless); what may not be done to it any more is
 * told by its seals (seal.c). Huge pages there are none; the flags of Linux 6.3 about execution are
 * unknown, as they are to the release that uname(2) tells.
 *
 * Tests: tests/guest/memfd.c.
 */
#include <fs/file_table.h>
#include <fs/seal.h>
#include <fs/sys_file.h>
#include <fs/tmpfs.h>
#include <linux/limits.h>
#include <linux/memfd.h>
#include <string.h>

#define MEMFD_PREFIX "memfd:"
#define PREFIX_LENGTH (sizeof(MEMFD_PREFIX) - 1)
#define HUGE_SIZE_FLAGS ((unsigned)MFD_HUGE_MASK << MFD_HUGE_SHIFT)

static int check_flags(unsigned flags)
{
	unsigned known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB;

	if (flags & MFD_HUGETLB)
		known |= HUGE_SIZE_FLAGS;
	if (flags & ~known)
		return -EINVAL;
	return flags & MFD_HUGETLB ? -ENOSYS : 0;
}

static int create_file(const char *name, bool sealable, struct file **file)
{
	struct inode *inode;
	int error = tmpfs_create_nameless(name, 0777, &inode);

	if (error)
		return error;
	if (sealable)
		inode->seals = 0; /* nobody else knows the inode yet */
	*file = file_create(NULL, inode, inode->file_ops, O_RDWR | O_LARGEFILE);
	inode_put(inode); /* the file has its own reference */
	return *file ? 0 : -ENOMEM;
}

long sys_memfd_create(uintptr_t user_name, unsigned flags)
{
	char name[NAME_MAX + 1] = MEMFD_PREFIX;
	struct file *file;
	ssize_t length;
	int error = check_flags(flags);

	if (error == -EINVAL)
		return error;
	length = copy_string_from_user(name + PREFIX_LENGTH, user_name,
				       sizeof(name) - PREFIX_LENGTH);
	if (length < 0)
		return length == -ENAMETOOLONG ? -EINVAL : length;
	if (!error)
		error = create_file(name, flags & MFD_ALLOW_SEALING, &file);
	if (error)
		return error;
	error = file_table_install(file, flags & MFD_CLOEXEC ? O_CLOEXEC : 0, 0);
	if (error < 0)
		file_put(file);
	return error;
}
