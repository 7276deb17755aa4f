// SPDX-License-Identifier: GPL-2.0
/* What the other modules import: one symbol of each kind. */
#include <linux/module.h>
#include "mu.h"

int mu_pv(void)
{
	return 1;
}
EXPORT_SYMBOL(mu_pv);

int mu_provide_gpl(void)
{
	return 2;
}
EXPORT_SYMBOL_GPL(mu_provide_gpl);

int mu_provide_space(void)
{
	return 3;
}
EXPORT_SYMBOL_NS_GPL(mu_provide_space, MU_SPACE);

int mu_provide_weak(void)
{
	return 4;
}
EXPORT_SYMBOL(mu_provide_weak);

MODULE_DESCRIPTION("Exports symbols of every kind");
MODULE_LICENSE("GPL");
