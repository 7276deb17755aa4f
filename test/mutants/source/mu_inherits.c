// SPDX-License-Identifier: GPL-2.0
/* Uses a proprietary module and no GPL-only symbol: that is allowed, and taints. */
#include <linux/module.h>
#include "mu.h"

static int __init mu_inherits_init(void)
{
	return mu_secret() + mu_pv() == 6 ? 0 : -EINVAL;
}

static void __exit mu_inherits_exit(void)
{
}

module_init(mu_inherits_init);
module_exit(mu_inherits_exit);

MODULE_DESCRIPTION("Uses a proprietary module");
MODULE_LICENSE("GPL");
