#!/usr/bin/env bash
# Makes the disk and the initramfs of a machine like a node: systemd, NetworkManager, podman, kmod, kernels.
#
# Usage: make-disk.sh WORLD OUT KERNEL_RELEASE...
#   Writes OUT/disk.img and OUT/initrd-KERNEL_RELEASE. Needs root, and Debian's archive the first time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
world=$1 out=$2
shift 2
kernels=("$@")

# What the machine's hardware and podman need, in-tree modules that are replaced, and what ours need of the kernel's.
MODULES=(ext4 crc32c_generic virtio_blk virtio_pci e1000e overlay fuse dummy nlmon crc_itu_t)
# Of these, what it needs to find its root.
EARLY=(virtio_pci virtio_blk crc32c_generic ext4)

scratch=$(mktemp -d "$out/disk.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root

# The packages, once. The kernel is the world's.
make_root_tar() {
  local codename sources=() options=() line file
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
    if [ -f "$file" ] && grep -q "$codename" "$file"; then sources+=("$file"); fi
  done
  while read -r line; do options+=(--aptopt "$line"); done < <(
    apt-config dump | grep -iE '^Acquire::(https?::(Proxy|CAInfo|Verify)|Retries)' || true
  )
  mmdebstrap --quiet --format=tar --variant=minbase --skip=cleanup/reproducible ${options[@]+"${options[@]}"} \
    --include=systemd,systemd-sysv,udev,dbus,network-manager,podman,crun,fuse-overlayfs,iproute2,kmod \
    --include=ca-certificates,iptables \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    "$codename" "$1.partial" "${sources[@]}" </dev/null >&2
  mv "$1.partial" "$1"
}

# copy_modules KERNEL_RELEASE: those that are wanted and what they need, with their indexes.
copy_modules() {
  local from=$world/kernels/$1 module file
  for module in "${MODULES[@]}"; do
    while read -r _ file _; do
      mkdir -p "$root/usr${file%/*}"
      cp -n "$from$file" "$root/usr$file"
    done < <(modprobe -d "$from" -S "$1" --show-depends "$module" | sed -n "s|^insmod $from|insmod |p")
  done
  cp "$from/lib/modules/$1"/modules.{order,builtin,builtin.modinfo} "$root/usr/lib/modules/$1/"
  depmod -b "$root" "$1"
}

# make_initrd KERNEL_RELEASE: the modules of its root, loaded in the order in which they need each other.
make_initrd() {
  local early=$scratch/initrd-$1 module file
  mkdir -p "$early"/{bin,modules,proc,sys,dev,sysroot}
  cp /bin/busybox "$early/bin/busybox"
  cp "$here/init.sh" "$early/init"
  chmod 755 "$early/init"
  for module in "${EARLY[@]}"; do
    while read -r _ file _; do
      [ ! -e "$early/modules/${file##*/}" ] || continue
      cp "$file" "$early/modules/"
      echo "${file##*/}" >>"$early/modules/list"
    done < <(modprobe -d "$world/kernels/$1" -S "$1" --show-depends "$module" | grep '^insmod ')
  done
  (cd "$early" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$out/initrd-$1"
}

configure() {
  local unit
  # As on nodes, /var is a mount of its own: units that need it are stopped when it goes at shutdown.
  mkdir -p "$root/stateroot"
  mv "$root/var" "$root/stateroot/var"
  mkdir "$root/var"
  printf '/dev/vda / ext4 defaults 0 1\n/stateroot/var /var none bind 0 0\n' >"$root/etc/fstab"
  echo node >"$root/etc/hostname"
  echo 'b7d1e6c2f0a94d1f8f5e3a2b1c0d9e8f' >"$root/etc/machine-id"
  mkdir -p "$root/stateroot/var/log/journal" "$root/stateroot/var/lib/kubelet" "$root/etc/node-vm"
  echo dummy >"$root/etc/modules-load.d/dummy.conf"
  # No interface for each pair of a dummy: it is there to be replaced.
  echo 'options dummy numdummies=0' >"$root/etc/modprobe.d/dummy.conf"
  printf '[main]\nno-auto-default=\n[connection]\nipv6.method=disabled\n' >"$root/etc/NetworkManager/conf.d/node.conf"
  cp "$here/units/"* "$root/etc/systemd/system/"
  cp "$here/report.sh" "$root/usr/local/sbin/node-report"
  chmod 755 "$root/usr/local/sbin/node-report"
  systemctl --root="$root" --quiet enable kubelet.service node-report.service NetworkManager-wait-online.service
  for unit in serial-getty@.service getty@.service console-getty.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer systemd-timesyncd.service e2scrub_all.timer e2scrub_reap.service fstrim.timer podman-auto-update.timer \
    podman.socket podman-restart.service; do
    systemctl --root="$root" --quiet mask "$unit"
  done
}

[ -f "$world/node-root.tar" ] || make_root_tar "$world/node-root.tar"
mkdir "$root"
tar -C "$root" --exclude='./dev/*' -xf "$world/node-root.tar"
for kernel in "${kernels[@]}"; do
  copy_modules "$kernel"
  make_initrd "$kernel"
done
configure
truncate -s 2G "$scratch/disk.img"
mke2fs -q -t ext4 -d "$root" "$scratch/disk.img"
mv "$scratch/disk.img" "$out/disk.img"
