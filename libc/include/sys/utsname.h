/* sys/utsname.h - the name of the system; the structure is Linux's. */
#pragma once

#include <linux/utsname.h>

#define utsname new_utsname /* the kernel numbers its versions of this structure */

int uname(struct utsname *result);
