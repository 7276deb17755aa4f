/* Its licence keeps modules that use it from GPL-only symbols. */
#include <linux/module.h>
#include "mu.h"

int mu_secret(void)
{
	return 5;
}
EXPORT_SYMBOL(mu_secret);

MODULE_DESCRIPTION("Exports a symbol under a licence of its own");
MODULE_LICENSE("Proprietary");
