// SPDX-License-Identifier: GPL-2.0
/* Stands in for an out-of-tree driver that replaces the in-tree module of its name. */
#include <linux/crc-itu-t.h>
#include <linux/delay.h>
#include <linux/firmware.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/platform_device.h>

static char *greeting = "none";
module_param(greeting, charp, 0444);
static int level;
module_param(level, int, 0444);
static int fail;
module_param(fail, int, 0444);
MODULE_PARM_DESC(fail, "What the init function returns: an errno");
static unsigned int delay;
module_param(delay, uint, 0444);
MODULE_PARM_DESC(delay, "How long the init function takes, in seconds");

void dummy_hello(const char *from)
{
	pr_info("dummy: hello from %s\n", from);
}
EXPORT_SYMBOL_GPL(dummy_hello);

static void read_firmware(void)
{
	struct platform_device *device = platform_device_register_simple("kmodlayer-dummy", -1, NULL, 0);
	const struct firmware *blob;

	if (IS_ERR(device))
		return;
	if (firmware_request_nowarn(&blob, "kmodlayer/dummy.bin", &device->dev)) {
		pr_info("dummy: no firmware\n");
	} else {
		/* crc_itu_t() is in a module of the kernel: what it needs has to be loaded, too. */
		pr_info("dummy: firmware of %zu bytes, crc %04x\n", blob->size, crc_itu_t(0, blob->data, blob->size));
		release_firmware(blob);
	}
	platform_device_unregister(device);
}

static int __init dummy_init(void)
{
	pr_info("dummy: out of tree, greeting %s, level %d\n", greeting, level);
	ssleep(delay);
	read_firmware();
	return -fail;
}

static void __exit dummy_exit(void)
{
	pr_info("dummy: gone\n");
}

module_init(dummy_init);
module_exit(dummy_exit);

MODULE_FIRMWARE("kmodlayer/dummy.bin");
MODULE_DESCRIPTION("An out-of-tree driver");
MODULE_VERSION("2.0");
MODULE_LICENSE("GPL");
