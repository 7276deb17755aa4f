#!/bin/sh
# Does what KMM's worker does with the configuration of a Day 1 unit: takes the in-tree modules away, copies the firmware,
# and loads the module of the image that is mounted below /tmp.
#
# Usage: kmod load CONFIG [--firmware-path DIRECTORY]
set -eux

[ "$1" = load ]
config=$2
directory=$(sed -n 's/^  dirName: //p' "$config")
module=$(sed -n 's/^  moduleName: "\(.*\)"$/\1/p' "$config")
firmware=$(sed -n 's/^  firmwarePath: //p' "$config")

sed -n 's/^- "\(.*\)"$/\1/p' "$config" | while read -r each; do modprobe -rv "$each"; done
if [ -n "$firmware" ]; then
  [ "$3" = --firmware-path ]
  cp -R "/tmp$firmware/." "$4/"
  printf %s "$4" >/sys/module/firmware_class/parameters/path
fi
modprobe -vd "/tmp$directory" "$module"
