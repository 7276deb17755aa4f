#!/bin/busybox sh
# shellcheck shell=dash
# First process of the machine: finds the root, and does what Ignition does before it is switched to.
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
while read -r module; do busybox insmod "/modules/$module"; done </modules/list
tries=0
until [ -b /dev/vda ] || [ "$tries" = 100 ]; do
  tries=$((tries + 1))
  busybox sleep 0.1
done
busybox mount -t ext4 /dev/vda /sysroot
if [ -f /node.tar ]; then
  busybox mount -o bind /sysroot/stateroot/var /sysroot/var
  while read -r path; do busybox rm -rf "/sysroot$path"; done </node.removed
  busybox tar -C /sysroot -xf /node.tar
  busybox umount /sysroot/var
fi
busybox umount /proc /sys /dev
exec busybox switch_root /sysroot /sbin/init
