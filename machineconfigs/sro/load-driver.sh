#!/usr/bin/env bash
# load|unload IMAGE: loads the modules of a driver from an image, or unloads them. IMAGE may be a repository, whose tags
# are kernel releases, an image by tag or digest, or "-" for that which the settings of the driver name for the kernel.
set -euo pipefail

usage() {
  echo "usage: $0 load|unload IMAGE" >&2
  exit 1
}

[ $# = 2 ] || usage
name=${0##*/}
# shellcheck source=/dev/null
. "${KMODLAYER_SETTINGS:-/etc/kmodlayer}/$name.conf"
# shellcheck source=/dev/null
. "${KMODLAYER_LIBRARY:-/usr/local/lib/kmodlayer}/kmods.sh"
if [ "$2" != - ]; then export KMOD_IMAGE=$2; fi
image=$(kmods_image "$(uname -r)")

case $1 in
  load) kmods_pull "$image" && kmods_load "$name" "$image" ;;
  unload) kmods_unload "$name" "$image" ;;
  *) usage ;;
esac
