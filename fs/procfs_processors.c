/*
 * fs/procfs_processors.c - files of /proc about each processor: cpuinfo, interrupts. Formats:
 * proc(5), and Linux's arch/x86/kernel/cpu/proc.c and irq.c.
 *
 * All processors are taken to be of one kind: what CPUID says is asked of the one we run on. They
 * are shown as the cores of one package.
 *
 * Tests: tests/guest/proc_sched.c.
 */
#include <fs/procfs_private.h>
#include <kernel/cpu.h>
#include <kernel/symbols.h>
#include <kernel/time.h>
#include <kernel/trap.h>
#include <string.h>
#include <vsnprintf.h>

/* cpuinfo */

struct cpu_flag {
	unsigned bit;
	const char *name;
};

/* SDM vol. 2, CPUID, leaf 1: what programs use; names as Linux has them. */
static const struct cpu_flag flags_edx[] = {
	{0, "fpu"},  {4, "tsc"},   {5, "msr"},	 {6, "pae"},   {8, "cx8"},
	{9, "apic"}, {13, "pge"},  {15, "cmov"}, {16, "pat"},  {19, "clflush"},
	{23, "mmx"}, {24, "fxsr"}, {25, "sse"},	 {26, "sse2"},
};
static const struct cpu_flag flags_ecx[] = {
	{0, "pni"},	{1, "pclmulqdq"}, {9, "ssse3"},	  {13, "cx16"}, {19, "sse4_1"},
	{20, "sse4_2"}, {22, "movbe"},	  {23, "popcnt"}, {25, "aes"},	{30, "rdrand"},
};
/* Leaf 0x80000001, edx. */
static const struct cpu_flag flags_extended[] = {
	{11, "syscall"}, {20, "nx"}, {26, "pdpe1gb"}, {27, "rdtscp"}, {29, "lm"},
};

static void print_flags(struct text *text, uint32_t bits, const struct cpu_flag *flags,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bits & 1u << flags[i].bit)
			text_print(text, " %s", flags[i].name);
}

#define CPUID_EXTENDED 0x80000001u
#define CPUID_FIRST_BRAND 0x80000002u /* three leaves of 16 characters */
#define CPUID_ADDRESS_SIZES 0x80000008u
#define USER_ADDRESS_BITS 48 /* what page_table.c uses, whatever the processor can do */

static void print_model_name(struct text *text)
{
	char brand[3 * sizeof(struct cpuid) + 1] = "";
	const char *start = brand;

	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid id = cpuid_read(CPUID_FIRST_BRAND + i, 0);

		memcpy(brand + i * sizeof(id), &id, sizeof(id));
	}
	while (*start == ' ')
		start++;
	text_print(text, "model name\t: %s\n", start);
}

static void print_model(struct text *text)
{
	struct cpuid vendor = cpuid_read(0, 0), version = cpuid_read(1, 0);
	uint32_t family = version.eax >> 8 & 15, model = version.eax >> 4 & 15;

	/* SDM vol. 2, CPUID: the extended fields count only then. */
	if (family == 6 || family == 15)
		model |= version.eax >> 12 & 0xf0;
	if (family == 15)
		family += version.eax >> 20 & 0xff;
	text_print(text, "vendor_id\t: %.4s%.4s%.4s\n", (char *)&vendor.ebx, (char *)&vendor.edx,
		   (char *)&vendor.ecx);
	text_print(text, "cpu family\t: %u\nmodel\t\t: %u\n", family, model);
	print_model_name(text);
	text_print(text, "stepping\t: %u\n", version.eax & 15);
}

static void print_place(struct text *text, const struct cpu *cpu)
{
	uint64_t khz = time_tsc_hz() / 1000;

	text_print(text, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
	text_print(text, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
		   cpu_count(), cpu->id, cpu_count());
	text_print(text, "apicid\t\t: %u\ninitial apicid\t: %u\n", cpu->apic_id, cpu->apic_id);
}

static void print_abilities(struct text *text)
{
	struct cpuid version = cpuid_read(1, 0);

	text_print(text,
		   "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
		   cpuid_read(0, 0).eax);
	print_flags(text, version.edx, flags_edx, ARRAY_SIZE(flags_edx));
	print_flags(text, cpuid_read(CPUID_EXTENDED, 0).edx, flags_extended,
		    ARRAY_SIZE(flags_extended));
	print_flags(text, version.ecx, flags_ecx, ARRAY_SIZE(flags_ecx));
	text_print(text, "\nclflush size\t: %u\n", (version.ebx >> 8 & 0xff) * 8);
	text_print(text, "address sizes\t: %u bits physical, %u bits virtual\n\n",
		   cpuid_read(CPUID_ADDRESS_SIZES, 0).eax & 0xff, USER_ADDRESS_BITS);
}

static int show_cpuinfo(struct text *text, const struct proc_node *node)
{
	(void)node;
	for (uint32_t i = 0; i < cpu_count(); i++) {
		text_print(text, "processor\t: %u\n", i);
		print_model(text);
		print_place(text, &cpus[i]);
		print_abilities(text);
	}
	return 0;
}

/* interrupts */

static uint64_t count_of(uint32_t cpu, unsigned vector)
{
	return __atomic_load_n(&cpus[cpu].interrupts[vector - TRAP_IRQ_BASE], __ATOMIC_RELAXED);
}

uint64_t proc_interrupt_count(void)
{
	uint64_t count = 0;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		for (unsigned vector = TRAP_IRQ_BASE; vector < TRAP_COUNT; vector++)
			count += count_of(cpu, vector);
	return count;
}

static void print_counts(struct text *text, const char *label, unsigned vector, const char *what)
{
	text_print(text, "%4s:", label);
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		text_print(text, " %10lu", count_of(cpu, vector));
	text_print(text, "   %s", what);
}

/* Devices have no names here: their handlers' are shown. */
static void print_device(struct text *text, unsigned vector)
{
	interrupt_handler handler = interrupt_handler_of(vector);
	bool line = vector < TRAP_DEVICE_BASE;
	const char *name;
	uintptr_t offset;
	char label[8];

	if (!handler)
		return;
	name = symbol_find((uintptr_t)handler, &offset);
	snprintf(label, sizeof(label), "%u", vector - TRAP_IRQ_BASE);
	print_counts(text, label, vector, line ? "IO-APIC " : "PCI-MSI ");
	text_print(text, " %s\n", name ? name : "?");
}

static int show_interrupts(struct text *text, const struct proc_node *node)
{
	(void)node;
	text_print(text, "    ");
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		text_print(text, "       CPU%-2u", cpu);
	text_print(text, "\n");
	for (unsigned vector = TRAP_IRQ_BASE; vector < TRAP_TIMER; vector++)
		print_device(text, vector);
	print_counts(text, "LOC", TRAP_TIMER, "Local timer interrupts\n");
	print_counts(text, "RES", TRAP_KICK, "Rescheduling interrupts\n");
	print_counts(text, "CAL", TRAP_CROSS_CALL, "Function call interrupts\n");
	return 0;
}

static const struct proc_entry entries[] = {
	{.name = "cpuinfo", .mode = S_IFREG | 0444, .show = show_cpuinfo},
	{.name = "interrupts", .mode = S_IFREG | 0444, .show = show_interrupts},
};

int proc_processors_init(struct dentry *root)
{
	return proc_add_files(root, entries, ARRAY_SIZE(entries));
}
