/*
 * kernel/mem_test.h - /dev/mem-check, in the checking build only.
 *
 * Writing "all" checks everything (mem_check_everything). Writing "RULE ADDRESS" (mem_test.c has
 * the names) breaks a rule at the page of the caller's that lies at ADDRESS (hexadecimal), checks,
 * and puts all back as it was: reading tells what the check said. EINVAL: there is no such rule, or
 * the page is not there; ENODATA: the check has not noticed.
 */
#pragma once

#ifdef STOS_CHECK
/* Makes the device. After fs_init. */
void mem_test_init(void);
#else
static inline void mem_test_init(void)
{
}
#endif
