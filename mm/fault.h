/*
 * mm/fault.h - one user page fault, as a typed value; and its typed answer.
 */
#pragma once

#include <linux/mman.h>
#include <mm/mem_space.h>

/* Error code of a page fault: SDM vol. 3, 4.7. */
#define FAULT_CODE_PRESENT 0x01u
#define FAULT_CODE_WRITE 0x02u
#define FAULT_CODE_USER 0x04u
#define FAULT_CODE_RESERVED 0x08u
#define FAULT_CODE_FETCH 0x10u

struct fault {
	uintptr_t address;
	uintptr_t rip; /* 0: the kernel on somebody's behalf (populate, peek) */
	uint32_t access; /* PROT_READ, PROT_WRITE or PROT_EXEC */
	uint32_t error_code;
};

enum fault_result {
	FAULT_DONE,      /* the page is mapped: try the instruction again */
	FAULT_NO_ZONE,   /* SIGSEGV, SEGV_MAPERR */
	FAULT_FORBIDDEN, /* SIGSEGV, SEGV_ACCERR */
	FAULT_NO_PAGE,   /* SIGBUS: past the end of the object, or it cannot be read */
	FAULT_NO_MEMORY, /* nothing left to kill */
	FAULT_KILLED,    /* the task is being killed: it shall not wait any longer */
	/* only inside fault.c: */
	FAULT_RETRY,
	FAULT_MUST_LOAD,
	FAULT_MUST_DIRTY,
	FAULT_MUST_GROW,
	FAULT_NEEDS_MEMORY,
};

/* What was done, for the fault ring. */
enum fault_outcome {
	OUTCOME_FASTER,      /* another thread had done it already */
	OUTCOME_ZERO_FRAME,
	OUTCOME_FRESH,
	OUTCOME_CACHE_HIT,
	OUTCOME_LOAD,
	OUTCOME_COPY,
	OUTCOME_REUSE,
	OUTCOME_TABLE_COPIED,
	OUTCOME_WRITE_NOTIFIED,
	OUTCOME_STACK_GROWN,
	OUTCOME_DEVICE,
	OUTCOME_SIGSEGV,
	OUTCOME_SIGBUS,
	OUTCOME_NO_MEMORY,
};

/* From the processor's words. */
static inline struct fault fault_from_trap(uintptr_t address, uint64_t error_code, uintptr_t rip)
{
	uint32_t access = PROT_READ;

	if (error_code & FAULT_CODE_WRITE)
		access = PROT_WRITE;
	else if (error_code & FAULT_CODE_FETCH)
		access = PROT_EXEC;
	return (struct fault){
		.address = address,
		.rip = rip,
		.access = access,
		.error_code = (uint32_t)error_code,
	};
}

/* "read", "write", "execution" of an error code. */
const char *fault_access_in_words(uint64_t error_code);

/*
 * Maps the page, or says why not. The space is unlocked; interrupts are on. Sleeps. Records one
 * event in the fault ring and counts the calling task's fault.
 */
enum fault_result page_fault_handler(struct mem_space *space, const struct fault *fault);
