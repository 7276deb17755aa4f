// SPDX-License-Identifier: GPL-2.0
/* A driver with everything that load_module() looks at. The names of its exports are as long as those they are
   renamed to. */
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include "mu.h"

/* Nobody has this one. */
extern int mu_nowhere(void) __weak;
extern int mu_provide_weak(void) __weak;

static int size = 64;
module_param(size, int, 0444);
MODULE_PARM_DESC(size, "Bytes to ask for");

static char *label = "mutant";
module_param(label, charp, 0644);
MODULE_PARM_DESC(label, "What to call it");

static DEFINE_PER_CPU(int, mu_count);

int mu_xp(void)
{
	return this_cpu_inc_return(mu_count);
}
EXPORT_SYMBOL(mu_xp);

int mu_xg(void)
{
	return mu_provide_gpl();
}
EXPORT_SYMBOL_GPL(mu_xg);

static int mu_probe(struct platform_device *device)
{
	dev_info(&device->dev, "%s\n", label);
	return 0;
}

static const struct platform_device_id mu_ids[] = { { .name = "mu-device" }, {} };
MODULE_DEVICE_TABLE(platform, mu_ids);

static struct platform_driver mu_platform_driver = {
	.driver = { .name = "mu_driver" },
	.probe = mu_probe,
	.id_table = mu_ids,
};

static int __init mu_driver_init(void)
{
	void *memory = kmalloc(size, GFP_KERNEL);

	kfree(memory);
	if (mu_pv() + mu_provide_space() + mu_xg() != 6)
		return -EINVAL;
	if (mu_nowhere && mu_nowhere())
		return -EINVAL;
	if (mu_provide_weak && mu_provide_weak() != 4)
		return -EINVAL;
	return platform_driver_register(&mu_platform_driver);
}

static void __exit mu_driver_exit(void)
{
	platform_driver_unregister(&mu_platform_driver);
}

module_init(mu_driver_init);
module_exit(mu_driver_exit);

MODULE_ALIAS("platform:mu-driver");
MODULE_FIRMWARE("mu/driver.bin");
MODULE_SOFTDEP("pre: mu_leaf");
MODULE_IMPORT_NS(MU_SPACE);
MODULE_DESCRIPTION("A driver with everything");
MODULE_VERSION("1.0");
MODULE_LICENSE("GPL");
