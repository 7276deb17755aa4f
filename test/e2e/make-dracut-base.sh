#!/usr/bin/env bash
# Makes an initramfs with systemd as its init, by dracut in a root of Debian's packages.
#
# Usage: make-dracut-base.sh WORLD OUT KERNEL_RELEASE
#   Writes OUT/base.img, and keeps the root with the kernel's modules in OUT/root. Needs root, and Debian's archive.
set -euo pipefail

world=$1 out=$2 kernel=$3
root=$out/root
mkdir -p "$root"
tar -C "$root" -xf "$world/node-root.tar"
(
  cd "$out"
  apt-get -qq -o APT::Sandbox::User=root download dracut-core
  dpkg -x dracut-core_*.deb dracut
)
cp -a "$out/dracut/usr/." "$root/usr/"
if [ -d "$out/dracut/etc" ]; then cp -a "$out/dracut/etc/." "$root/etc/"; fi
cp "$(command -v cpio)" "$root/usr/bin/cpio"
mkdir -p "$root/usr/lib/modules" "$root/tmp"
cp -a "$world/trees/$kernel/usr/lib/modules/$kernel" "$root/usr/lib/modules/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
trap 'umount "$root/proc" "$root/dev"' EXIT
chroot "$root" dracut --quiet --force --no-hostonly --no-hostonly-cmdline --reproducible --gzip \
  --no-early-microcode --kver "$kernel" --filesystems ext4 \
  --modules 'bash systemd systemd-initrd systemd-modules-load systemd-udevd udev-rules rootfs-block base fs-lib kernel-modules dracut-systemd' \
  --drivers 'virtio_blk virtio_pci ext4 crc32c_generic dummy' /tmp/base.img
mv "$root/tmp/base.img" "$out/base.img"
