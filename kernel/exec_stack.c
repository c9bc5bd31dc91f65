/*
 * kernel/exec_stack.c - what lies on a program's stack when it starts (System V ABI, AMD64,
 * 3.4.1; getauxval(3)), from high to low:
 *
 *   8 zero bytes
 *   the program's path (AT_EXECFN), environment strings, argument strings
 *   "x86_64" (AT_PLATFORM), 16 random bytes (AT_RANDOM)
 *   the auxiliary vector, envp[], argv[], argc   <- rsp, 16-byte aligned
 *
 * It is one stream of bytes from rsp up, collected in a page and written into the space, which is
 * not loaded, page by page. It may be executable: PT_GNU_STACK says.
 */
#include <drivers/random.h>
#include <kernel/base/errno.h>
#include <kernel/base/panic.h>
#include <kernel/cpu.h>
#include <kernel/exec_stack.h>
#include <kernel/task.h>
#include <kernel/time_abi.h>
#include <linux/auxvec.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <string.h>

#define STACK_TOP USER_SPACE_END
#define STACK_ROOM (128ul << 10) /* mapped below rsp from the start, as on Linux */
#define RANDOM_BYTES 16
#define AUX_MAX 24

static const char platform[] = "x86_64";

struct stack_layout {
	uintptr_t sp, random, platform, argv_strings, envp_strings, name, end; /* ascending */
};

struct aux_vector {
	uint64_t words[2 * AUX_MAX];
	size_t count; /* words */
};

static void aux_add(struct aux_vector *aux, uint64_t type, uint64_t value)
{
	kassert(aux->count + 2 <= ARRAY_SIZE(aux->words));
	aux->words[aux->count++] = type;
	aux->words[aux->count++] = value;
}

static void aux_build(struct aux_vector *aux, const struct start_info *info,
		      const struct stack_layout *layout)
{
	const struct elf_image *image = info->image;
	bool changed_ids = info->uid != info->euid || info->gid != info->egid;

	aux->count = 0;
	aux_add(aux, AT_HWCAP, cpuid_read(1, 0).edx);
	aux_add(aux, AT_PAGESZ, PAGE_SIZE);
	aux_add(aux, AT_CLKTCK, USER_HZ);
	aux_add(aux, AT_PHDR, elf_headers_address(image));
	aux_add(aux, AT_PHENT, sizeof(struct elf64_phdr));
	aux_add(aux, AT_PHNUM, image->header.e_phnum);
	aux_add(aux, AT_BASE, info->interpreter_base);
	aux_add(aux, AT_FLAGS, 0);
	aux_add(aux, AT_ENTRY, image->header.e_entry + image->bias);
	aux_add(aux, AT_UID, info->uid);
	aux_add(aux, AT_EUID, info->euid);
	aux_add(aux, AT_GID, info->gid);
	aux_add(aux, AT_EGID, info->egid);
	aux_add(aux, AT_SECURE, changed_ids);
	aux_add(aux, AT_RANDOM, layout->random);
	aux_add(aux, AT_HWCAP2, 0);
	aux_add(aux, AT_EXECFN, layout->name);
	aux_add(aux, AT_PLATFORM, layout->platform);
	aux_add(aux, AT_MINSIGSTKSZ, MINSIGSTKSZ);
	aux_add(aux, AT_NULL, 0);
}

static struct stack_layout layout_make(const struct start_info *info)
{
	const struct exec_args *args = info->args;
	size_t words = 1 + (size_t)args->argc + 1 + (size_t)args->envc + 1 + 2 * AUX_MAX;
	struct stack_layout layout = {.end = STACK_TOP};

	layout.name = STACK_TOP - sizeof(uint64_t) - (strlen(info->name) + 1);
	layout.envp_strings = layout.name - args->envp_bytes;
	layout.argv_strings = layout.envp_strings - exec_args_argv_bytes(args);
	layout.platform = layout.argv_strings - sizeof(platform);
	layout.random = ALIGN_DOWN(layout.platform - RANDOM_BYTES, 16ul);
	layout.sp = ALIGN_DOWN(layout.random - words * sizeof(uint64_t), 16ul);
	return layout;
}

int exec_stack_map(struct mem_space *space, const struct start_info *info)
{
	struct stack_layout layout = layout_make(info);
	size_t size = PAGE_ALIGN_UP(STACK_TOP - layout.sp + STACK_ROOM);

	return mem_map_stack(space, STACK_TOP, size, info->image->stack_prot);
}

struct stack_writer {
	struct mem_space *space;
	uintptr_t at;	   /* where the next byte goes */
	uintptr_t flushed; /* everything below is in the space */
	char *page;
	int error;
};

static void writer_flush(struct stack_writer *writer)
{
	size_t size = writer->at - writer->flushed;

	if (size && !writer->error &&
	    mem_space_poke(writer->space, writer->flushed,
			   writer->page + writer->flushed % PAGE_SIZE, size) != size)
		writer->error = -ENOMEM;
	writer->flushed = writer->at;
}

static void writer_put(void *context, const char *bytes, size_t size)
{
	struct stack_writer *writer = context;

	while (size > 0) {
		size_t part = MIN(size, PAGE_SIZE - writer->at % PAGE_SIZE);

		memcpy(writer->page + writer->at % PAGE_SIZE, bytes, part);
		writer->at += part;
		bytes += part;
		size -= part;
		if (writer->at % PAGE_SIZE == 0)
			writer_flush(writer);
	}
}

static void writer_put_word(struct stack_writer *writer, uint64_t word)
{
	writer_put(writer, (const char *)&word, sizeof(word));
}

static void writer_pad(struct stack_writer *writer, uintptr_t to)
{
	static const char zeros[64];

	while (writer->at < to)
		writer_put(writer, zeros, MIN(to - writer->at, sizeof(zeros)));
}

/* Turns strings into their addresses: after each NUL the next begins. */
struct pointer_walk {
	struct stack_writer *writer;
	uintptr_t string; /* of the byte that comes next */
	bool beginning;
	int argc, count; /* strings so far */
};

static void pointers_take(void *context, const char *bytes, size_t size)
{
	struct pointer_walk *walk = context;

	for (size_t i = 0; i < size; i++, walk->string++) {
		if (walk->beginning) {
			if (walk->count == walk->argc)
				writer_put_word(walk->writer, 0); /* the end of argv */
			writer_put_word(walk->writer, walk->string);
			walk->count++;
		}
		walk->beginning = bytes[i] == '\0';
	}
}

static void write_pointers(struct stack_writer *writer, const struct exec_args *args,
			   const struct stack_layout *layout)
{
	struct pointer_walk walk = {
		.writer = writer,
		.string = layout->argv_strings,
		.beginning = true,
		.argc = args->argc,
	};

	writer_put_word(writer, (uint64_t)args->argc);
	exec_args_walk(args, pointers_take, &walk);
	if (args->envc == 0)
		writer_put_word(writer, 0); /* no string of envp came to end argv */
	writer_put_word(writer, 0);
}

static void write_all(struct stack_writer *writer, const struct start_info *info,
		      const struct stack_layout *layout)
{
	char random[RANDOM_BYTES];
	struct aux_vector aux;

	aux_build(&aux, info, layout);
	random_bytes(random, sizeof(random));
	write_pointers(writer, info->args, layout);
	writer_put(writer, (const char *)aux.words, aux.count * sizeof(aux.words[0]));
	writer_pad(writer, layout->random);
	writer_put(writer, random, sizeof(random));
	writer_pad(writer, layout->platform);
	writer_put(writer, platform, sizeof(platform));
	exec_args_walk(info->args, writer_put, writer);
	writer_put(writer, info->name, strlen(info->name) + 1);
	writer_pad(writer, layout->end);
	writer_flush(writer);
}

int exec_stack_fill(struct mem_space *space, const struct start_info *info, uintptr_t *sp)
{
	struct stack_layout layout = layout_make(info);
	struct stack_writer writer = {
		.space = space,
		.at = layout.sp,
		.flushed = layout.sp,
		.page = kmalloc(PAGE_SIZE),
	};

	if (!writer.page)
		return -ENOMEM;
	write_all(&writer, info, &layout);
	kfree(writer.page);
	space->arg_beg = layout.argv_strings;
	space->arg_end = space->env_beg = layout.envp_strings;
	space->env_end = layout.name;
	*sp = layout.sp;
	return writer.error;
}
