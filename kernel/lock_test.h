/* kernel/lock_test.h - /dev/lock-test, in the checking build only. */
#pragma once

#ifdef STOS_CHECK
/* Makes the device. After fs_init. */
void lock_test_init(void);
#else
static inline void lock_test_init(void)
{
}
#endif
