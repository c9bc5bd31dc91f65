/*
 * kernel/ubsan.c - what gcc's -fsanitize=undefined calls: only in the UBSan build (./stos --ubsan).
 *
 * Undefined behaviour in the kernel is our own mistake: panic with the place. The names and the
 * data, which always begin with the location, are gcc's libsanitizer interface (ubsan_handlers.h).
 */
#include <kernel/base/panic.h>

struct ubsan_location {
	const char *file;
	uint32_t line, column;
};

#define UBSAN_HANDLER(name, what, ...)                                                             \
	void __ubsan_handle_##name(const struct ubsan_location *at __VA_OPT__(, ) __VA_ARGS__);    \
	void __ubsan_handle_##name(const struct ubsan_location *at __VA_OPT__(, ) __VA_ARGS__)     \
	{                                                                                          \
		panic("undefined behaviour: %s at %s:%u:%u", what, at->file, at->line,             \
		      at->column);                                                                 \
	}

#define ONE __attribute__((unused)) uintptr_t a
#define TWO ONE, __attribute__((unused)) uintptr_t b

UBSAN_HANDLER(add_overflow, "addition overflows", TWO)
UBSAN_HANDLER(sub_overflow, "subtraction overflows", TWO)
UBSAN_HANDLER(mul_overflow, "multiplication overflows", TWO)
UBSAN_HANDLER(negate_overflow, "negation overflows", ONE)
UBSAN_HANDLER(divrem_overflow, "division overflows or divides by zero", TWO)
UBSAN_HANDLER(shift_out_of_bounds, "shift out of bounds", TWO)
UBSAN_HANDLER(out_of_bounds, "array index out of bounds", ONE)
UBSAN_HANDLER(type_mismatch_v1, "access through a null or too small pointer", ONE)
UBSAN_HANDLER(pointer_overflow, "pointer arithmetic overflows", TWO)
UBSAN_HANDLER(load_invalid_value, "a bool or enum holds none of its values", ONE)
UBSAN_HANDLER(vla_bound_not_positive, "array of no positive size", ONE)
UBSAN_HANDLER(nonnull_arg, "null passed where it must not be")
UBSAN_HANDLER(invalid_builtin, "builtin called with an invalid value")
UBSAN_HANDLER(builtin_unreachable, "unreachable code was reached")
UBSAN_HANDLER(missing_return, "a function returned no value")
