// SPDX-License-Identifier: GPL-2.0
/* Imports nothing but what every module imports. */
#include <linux/module.h>

static int __init mu_leaf_init(void)
{
	return 0;
}

static void __exit mu_leaf_exit(void)
{
}

module_init(mu_leaf_init);
module_exit(mu_leaf_exit);

MODULE_DESCRIPTION("Imports next to nothing");
MODULE_LICENSE("GPL");
