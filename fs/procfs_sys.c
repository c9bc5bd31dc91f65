/*
 * fs/procfs_sys.c - /proc/sys: settings that programs look up. None can be changed;
 * writing to vm/drop_caches trims the allocators.
 *
 * Most are fixed; the few that are not have a function. Meanings: proc(5).
 */
#include <drivers/random.h>
#include <fs/procfs_private.h>
#include <kernel/sys_info.h>
#include <linux/utsname.h>
#include <mm/pressure.h>

#define BOOT_ID_BYTES 16

static int show_hostname(struct text *text, const struct proc_node *node)
{
	char name[__NEW_UTS_LEN + 1];

	(void)node;
	host_name(name, sizeof(name));
	text_print(text, "%s\n", name);
	return 0;
}

/* RFC 4122, 4.4: a version 4 UUID from random bytes. */
static void print_uuid(struct text *text, const uint8_t random[BOOT_ID_BYTES])
{
	for (unsigned i = 0; i < BOOT_ID_BYTES; i++) {
		uint8_t byte = random[i];

		if (i == 4 || i == 6 || i == 8 || i == 10)
			text_append(text, "-", 1);
		if (i == 6)
			byte = (byte & 0x0f) | 0x40;
		if (i == 8)
			byte = (byte & 0x3f) | 0x80;
		text_print(text, "%02x", byte);
	}
	text_append(text, "\n", 1);
}

static uint8_t boot_id[BOOT_ID_BYTES]; /* [I] after proc_sys_init */

static int show_boot_id(struct text *text, const struct proc_node *node)
{
	(void)node;
	print_uuid(text, boot_id);
	return 0;
}

static int show_uuid(struct text *text, const struct proc_node *node)
{
	uint8_t random[BOOT_ID_BYTES];

	(void)node;
	random_bytes(random, sizeof(random));
	print_uuid(text, random);
	return 0;
}

/* A row whose text is fixed. */
#define FIXED(function, value)                                                                     \
	static int function(struct text *text, const struct proc_node *node)                       \
	{                                                                                          \
		(void)node;                                                                        \
		text_print(text, "%s\n", value);                                                   \
		return 0;                                                                          \
	}


FIXED(show_ostype, "Linux")
FIXED(show_osrelease, KERNEL_RELEASE)
FIXED(show_version, KERNEL_VERSION)
FIXED(show_domainname, "(none)")
FIXED(show_pid_max, "32768") /* TASK_ID_MAX of kernel/task_id.h */
FIXED(show_ngroups_max, "32") /* PROCESS_GROUPS_MAX of kernel/task.h */
FIXED(show_cap_last_cap, "40")
FIXED(show_randomize, "0")
FIXED(show_core_pattern, "core")
FIXED(show_entropy, "256")
FIXED(show_overcommit, "1") /* always: docs/architecture.md */
FIXED(show_max_map_count, "65530") /* ZONES_MAX of mm/mm_private.h */
FIXED(show_mmap_min_addr, "65536") /* USER_SPACE_BEGIN of mm/mem_zone.h */
FIXED(show_pipe_max_size, "1048576") /* PIPE_MAX_PAGES of fs/pipe.c */
FIXED(show_file_max, "1048576")

static_assert(PROCESS_GROUPS_MAX == 32, "show_ngroups_max");

/*
 * Anything written gives back what the allocators keep for reuse; file pages stay, they are the
 * files.
 */
static ssize_t drop_caches_write(struct file *file, struct io_buffer *io, uint64_t pos)
{
	ssize_t size = (ssize_t)io->left;

	(void)file;
	(void)pos;
	io->left = 0;
	mem_trim();
	return size;
}

static const struct file_operations drop_caches_operations = {
	.write = drop_caches_write,
};

#define ROW(name_, show_)                                                                          \
	{                                                                                          \
		.name = name_, .mode = S_IFREG | 0444, .show = show_                               \
	}

static const struct proc_entry kernel_entries[] = {
	ROW("ostype", show_ostype),
	ROW("osrelease", show_osrelease),
	ROW("version", show_version),
	ROW("hostname", show_hostname),
	ROW("domainname", show_domainname),
	ROW("pid_max", show_pid_max),
	ROW("ngroups_max", show_ngroups_max),
	ROW("cap_last_cap", show_cap_last_cap),
	ROW("randomize_va_space", show_randomize),
	ROW("core_pattern", show_core_pattern),
};

static const struct proc_entry random_entries[] = {
	ROW("boot_id", show_boot_id),
	ROW("uuid", show_uuid),
	ROW("entropy_avail", show_entropy),
	ROW("poolsize", show_entropy),
};

static const struct proc_entry vm_entries[] = {
	{.name = "drop_caches", .mode = S_IFREG | 0200, .file_ops = &drop_caches_operations},
	ROW("overcommit_memory", show_overcommit),
	ROW("max_map_count", show_max_map_count),
	ROW("mmap_min_addr", show_mmap_min_addr),
};

static const struct proc_entry fs_entries[] = {
	ROW("pipe-max-size", show_pipe_max_size),
	ROW("file-max", show_file_max),
	ROW("nr_open", show_file_max),
};

static int add_directory(struct dentry *parent, const char *name, const struct proc_entry *entries,
			 size_t count, struct dentry **directory)
{
	int error = tree_add_directory(parent, name, 0555, directory);

	return error ? error : proc_add_files(*directory, entries, count);
}

int proc_sys_init(struct dentry *root)
{
	struct dentry *sys, *kernel, *directory;
	int error = tree_add_directory(root, "sys", 0555, &sys);

	random_bytes(boot_id, sizeof(boot_id));
	if (!error)
		error = add_directory(sys, "kernel", kernel_entries, ARRAY_SIZE(kernel_entries),
				      &kernel);
	if (!error)
		error = add_directory(kernel, "random", random_entries,
				      ARRAY_SIZE(random_entries), &directory);
	if (!error)
		error = add_directory(sys, "vm", vm_entries, ARRAY_SIZE(vm_entries), &directory);
	if (!error)
		error = add_directory(sys, "fs", fs_entries, ARRAY_SIZE(fs_entries), &directory);
	return error;
}
