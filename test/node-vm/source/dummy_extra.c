// SPDX-License-Identifier: GPL-2.0
/* The second module of the driver: it needs the first. */
#include <linux/module.h>

void dummy_hello(const char *from);

static int __init dummy_extra_init(void)
{
	dummy_hello("dummy_extra");
	return 0;
}

static void __exit dummy_extra_exit(void)
{
}

module_init(dummy_extra_init);
module_exit(dummy_extra_exit);

MODULE_DESCRIPTION("Another module of an out-of-tree driver");
MODULE_VERSION("2.0");
MODULE_LICENSE("GPL");
