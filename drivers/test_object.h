/* drivers/test_object.h - /dev/test-object: an object that counts what mm asks of it. */
#pragma once

/* Registers the node. Once, in drivers_init. */
void test_object_init(void);
