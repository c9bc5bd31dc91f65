/*
 * kernel/elf.c - from an ELF64 file to zones.
 *
 * The file is an attacker's: every header field is checked before it is used, with sums that may
 * overflow checked by the compiler's builtins. Segments may overlap; the later one wins, as on
 * Linux.
 *
 *   p_vaddr            p_vaddr + p_filesz      p_vaddr + p_memsz
 *      | file's bytes, mapped   | cleared, to the page's end | anonymous pages
 *
 * Tests: tests/guest/elf.c.
 */
#include <fs/file.h>
#include <kernel/base/errno.h>
#include <kernel/elf.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <mm/heap.h>
#include <mm/mem_space.h>
#include <string.h>

/* Linux's bound on the table of program headers: a page's worth of 64 KiB. */
#define SEGMENTS_MAX (65536 / sizeof(struct elf64_phdr))

static const char zero_page[PAGE_SIZE];

static int read_exactly(struct file *file, void *buf, size_t size, uint64_t pos)
{
	ssize_t done = file_read_kernel(file, buf, size, pos);

	if (done < 0)
		return (int)done;
	return (size_t)done == size ? 0 : -ENOEXEC;
}

static int check_header(const struct elf64_hdr *header)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return -ENOEXEC;
	if (header->e_machine != EM_X86_64 || header->e_phentsize != sizeof(struct elf64_phdr))
		return -ENOEXEC;
	if (header->e_phnum == 0 || header->e_phnum > SEGMENTS_MAX)
		return -ENOEXEC;
	return 0;
}

static int check_load(const struct elf64_phdr *segment)
{
	uint64_t end;

	if (segment->p_filesz > segment->p_memsz)
		return -ENOEXEC;
	if (__builtin_add_overflow(segment->p_vaddr, segment->p_memsz, &end) ||
	    end > USER_SPACE_END)
		return -ENOEXEC;
	if (__builtin_add_overflow(segment->p_offset, segment->p_filesz, &end) || end > INT64_MAX)
		return -ENOEXEC;
	if (segment->p_filesz && (segment->p_vaddr - segment->p_offset) % PAGE_SIZE)
		return -ENOEXEC;
	return 0;
}

static void note_load(struct elf_image *image, const struct elf64_phdr *segment)
{
	image->beg = MIN(image->beg, PAGE_ALIGN_DOWN(segment->p_vaddr));
	image->end = MAX(image->end, PAGE_ALIGN_UP(segment->p_vaddr + segment->p_memsz));
	if ((segment->p_align & (segment->p_align - 1)) == 0)
		image->alignment = MAX(image->alignment, segment->p_align);
}

static int check_segments(struct elf_image *image)
{
	image->beg = UINTPTR_MAX;
	image->end = 0;
	image->alignment = PAGE_SIZE;
	image->stack_prot = PROT_READ | PROT_WRITE;
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const struct elf64_phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD && segment->p_memsz) {
			if (check_load(segment))
				return -ENOEXEC;
			note_load(image, segment);
		} else if (segment->p_type == PT_INTERP && !image->interpreter) {
			image->interpreter = segment;
		} else if (segment->p_type == PT_GNU_STACK && (segment->p_flags & PF_X)) {
			image->stack_prot |= PROT_EXEC;
		}
	}
	return image->beg < image->end ? 0 : -ENOEXEC;
}

int elf_read(struct file *file, struct elf_image *image)
{
	size_t size;
	int error;

	memset(image, 0, sizeof(*image));
	error = read_exactly(file, &image->header, sizeof(image->header), 0);
	if (!error)
		error = check_header(&image->header);
	if (error)
		return error;
	if (image->header.e_phoff > INT64_MAX)
		return -ENOEXEC;
	size = image->header.e_phnum * sizeof(struct elf64_phdr);
	image->segments = kmalloc(size);
	if (!image->segments)
		return -ENOMEM;
	error = read_exactly(file, image->segments, size, image->header.e_phoff);
	if (!error)
		error = check_segments(image);
	if (error)
		elf_free(image);
	return error;
}

void elf_free(struct elf_image *image)
{
	kfree(image->segments);
	image->segments = NULL;
}

int elf_interpreter_name(struct file *file, const struct elf_image *image, char **name)
{
	uint64_t size = image->interpreter->p_filesz;
	int error;

	if (size < 2 || size > PATH_MAX || image->interpreter->p_offset > INT64_MAX)
		return -ENOEXEC;
	*name = kmalloc(size);
	if (!*name)
		return -ENOMEM;
	error = read_exactly(file, *name, size, image->interpreter->p_offset);
	if (!error && (*name)[size - 1] != '\0')
		error = -ENOEXEC;
	if (error) {
		kfree(*name);
		*name = NULL;
	}
	return error;
}

static int segment_prot(const struct elf64_phdr *segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) |
	       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The file's bytes, and the rest of their last page cleared where the program may write it. */
static int map_file_part(struct mem_space *space, struct file *file,
			 const struct elf64_phdr *segment, uintptr_t bias)
{
	uintptr_t beg = PAGE_ALIGN_DOWN(bias + segment->p_vaddr);
	uintptr_t end = bias + segment->p_vaddr + segment->p_filesz;
	size_t tail = PAGE_ALIGN_UP(end) - end;
	uintptr_t where;
	int error = mem_map(space, beg, end - beg, segment_prot(segment), MAP_PRIVATE | MAP_FIXED,
			    file, PAGE_ALIGN_DOWN(segment->p_offset), &where);

	if (error)
		return error;
	if (segment->p_memsz == segment->p_filesz || !(segment->p_flags & PF_W))
		return 0;
	return mem_space_poke(space, end, zero_page, tail) == tail ? 0 : -ENOEXEC;
}

static int map_segment(struct mem_space *space, struct file *file, const struct elf64_phdr *segment,
		       uintptr_t bias)
{
	uintptr_t beg = bias + segment->p_vaddr;
	uintptr_t end = PAGE_ALIGN_UP(beg + segment->p_memsz);
	uintptr_t where;
	int error = 0;

	if (segment->p_filesz) {
		error = map_file_part(space, file, segment, bias);
		beg = PAGE_ALIGN_UP(beg + segment->p_filesz);
	} else {
		beg = PAGE_ALIGN_DOWN(beg);
	}
	if (!error && beg < end)
		error = mem_map(space, beg, end - beg, segment_prot(segment),
				MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0, &where);
	return error;
}

int elf_map(struct mem_space *space, struct file *file, struct elf_image *image, uintptr_t bias)
{
	uintptr_t beg = image->beg + bias; /* bias may be "negative": sums wrap, ends are checked */
	uintptr_t end = image->end + bias;

	if (beg < USER_SPACE_BEGIN || end > space->mmap_top || beg >= end)
		return -ENOMEM;
	image->bias = bias;
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const struct elf64_phdr *segment = &image->segments[i];
		int error;

		if (segment->p_type != PT_LOAD || !segment->p_memsz)
			continue;
		error = map_segment(space, file, segment, bias);
		if (error)
			return error;
	}
	return 0;
}

uintptr_t elf_headers_address(const struct elf_image *image)
{
	uint64_t offset = image->header.e_phoff;

	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const struct elf64_phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD && segment->p_offset <= offset &&
		    offset - segment->p_offset < segment->p_filesz)
			return image->bias + segment->p_vaddr + (offset - segment->p_offset);
	}
	return 0;
}
