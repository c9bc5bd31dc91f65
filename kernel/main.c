/*
 * kernel/main.c - the order in which everything comes to life.
 *
 * boot.asm jumps to kernel_main on the boot stack, interrupts off, on the boot page tables. That
 * context becomes the idle task; a kernel task goes on with what may sleep, and turns into pid 1.
 */
#include <boot/boot_info.h>
#include <drivers/acpi.h>
#include <drivers/drivers.h>
#include <drivers/fw_cfg.h>
#include <drivers/interrupt.h>
#include <drivers/lapic.h>
#include <drivers/random.h>
#include <fs/fs.h>
#include <kernel/base/lock_check.h>
#include <kernel/base/log.h>
#include <kernel/base/panic.h>
#include <kernel/cmdline.h>
#include <kernel/cpu.h>
#include <kernel/init_task.h>
#include <kernel/lock_test.h>
#include <kernel/main.h>
#include <kernel/mem_test.h>
#include <kernel/processors.h>
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/trap.h>
#include <mm/alloc_failure.h>
#include <mm/check.h>
#include <mm/fault_ring.h>
#include <mm/heap.h>
#include <mm/kernel_map.h>
#include <mm/mm_init.h>
#include <mm/page_index.h>
#include <string.h>

/* The kernel's command line: the loader's, and what QEMU's fw_cfg adds. */
static void read_cmdline(void)
{
	static char addition[BOOT_CMDLINE_SIZE];
	struct fw_cfg_item item;
	char level[8];

	fw_cfg_early_init();
	if (fw_cfg_find(FW_CFG_APPEND, &item)) {
		fw_cfg_select(&item);
		fw_cfg_read(addition, MIN(item.size, sizeof(addition) - 1));
	}
	cmdline_init(boot_info.cmdline, addition);
	lock_check_init();
	if (!cmdline_get("loglevel", level, sizeof(level)))
		return;
	if (strcmp(level, "info") == 0)
		log_set_level(LOG_INFO);
	else if (strcmp(level, "debug") == 0)
		log_set_level(LOG_DEBUG);
	else
		log_warning("loglevel=%s: use info or debug", level);
}

/* What must not be handed out: low memory (firmware), the image, modules, early tables. */
static void frames_begin(struct memory_range early_tables)
{
	struct memory_range reserved[BOOT_MODULES_MAX + 3];
	size_t count = 0;

	reserved[count++] = (struct memory_range){0, (phys_t)boot_begin};
	reserved[count++] = (struct memory_range){(phys_t)boot_begin, image_phys(kernel_data_end)};
	reserved[count++] = early_tables;
	for (size_t i = 0; i < boot_info.module_count; i++)
		reserved[count++] = boot_info.modules[i];
	frame_init(boot_info.usable, boot_info.usable_count, reserved, count);
	frame_free_reserved((phys_t)boot_begin, (phys_t)boot_end); /* boot.asm has done its work */
}

static void memory_init(void)
{
	struct memory_range early_tables = kernel_map_init();

	frames_begin(early_tables);
	heap_init();
	zones_init();
	mem_spaces_init();
	page_index_init();
	mem_objects_init();
	fault_ring_init();
	mem_check_init();
	tasks_init();
}

static void unpack_root(void)
{
	struct fw_cfg_item overlay;

	if (boot_info.module_count == 0)
		panic("no initrd: the loader gave no module");
	for (size_t i = 0; i < boot_info.module_count; i++)
		if (initrd_unpack(boot_info.modules[i].beg, boot_info.modules[i].end,
				  frame_free_reserved))
			panic("the initrd could not be unpacked");
	if (fw_cfg_find(FW_CFG_OVERLAY, &overlay)) {
		fw_cfg_select(&overlay);
		if (initrd_unpack_stream(fw_cfg_read, overlay.size))
			panic("the overlay (--add) could not be unpacked: more --mem may help");
	}
}

/* Pid 1, still in the kernel: everything that may sleep. */
static void first_task(void *unused)
{
	(void)unused;
	fs_init();
	fw_cfg_init();
	unpack_root();
	acpi_set_rsdp(boot_info.rsdp, boot_info.rsdp_copy);
	drivers_init();
	lock_test_init();
	mem_test_init();
	alloc_failure_init();
	processors_start();
	log_info("up after %lu ms, %lu of %lu KiB free", time_monotonic_ns() / NS_PER_MS,
		 frame_free_count() * (PAGE_SIZE / 1024), frame_total_count() * (PAGE_SIZE / 1024));
	init_start();
}

/*
 * The stack protector's word: random, its lowest byte 0 so that no string function copies past it.
 * Stored by a function that ends without comparing it.
 */
static __attribute__((always_inline)) inline void stack_canary_init(void)
{
	uint64_t canary;

	random_bytes(&canary, sizeof(canary));
	cpus[0].stack_canary = canary & ~0xffull;
}

void kernel_main(uint32_t magic, phys_t information)
{
	drivers_early_init();
	boot_info_read(magic, information);
	cpu_init(&cpus[0]);
	stack_canary_init();
	read_cmdline();
	cpus[0].kernel_stack_top = (uintptr_t)boot_stack_top;
	sched_init();
	memory_init();
	interrupt_init();
	time_init();
	lapic_timer_start(TRAP_TIMER, TIMER_HZ);
	process_create_first(first_task, NULL);
	sched_idle();
}
