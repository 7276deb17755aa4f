// SPDX-License-Identifier: GPL-2.0
/* Uses a proprietary module and a GPL-only symbol: no kernel allows that. */
#include <linux/module.h>
#include "mu.h"

static int __init mu_mixed_init(void)
{
	return mu_secret() + mu_provide_gpl() == 7 ? 0 : -EINVAL;
}

static void __exit mu_mixed_exit(void)
{
}

module_init(mu_mixed_init);
module_exit(mu_mixed_exit);

MODULE_DESCRIPTION("Uses a proprietary module and a GPL-only symbol");
MODULE_LICENSE("GPL");
