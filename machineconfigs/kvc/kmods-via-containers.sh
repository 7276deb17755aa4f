#!/usr/bin/env bash
# build|load|unload|reload|wrapper SOFTWARE KERNEL [ARGUMENT...]: runs a hook of the library of a software, as
# kmods-via-containers does. Libraries are SOFTWARE-lib.sh, settings are SOFTWARE.conf.
set -euo pipefail

usage() {
  echo "usage: $0 build|load|unload|reload|wrapper SOFTWARE KERNEL [ARGUMENT...]" >&2
  exit 1
}

[ $# -ge 3 ] || usage
export KVC_ACTION=$1 KVC_SOFTWARE_NAME=$2 KVC_KVER=$3
shift 3
case $KVC_SOFTWARE_NAME in '' | *[!A-Za-z0-9._-]* | .*) usage ;; esac
case $KVC_KVER in '' | *[!A-Za-z0-9._+~-]* | .*) usage ;; esac

settings=${KVC_SETTINGS:-/etc/kvc}
KVC_CONTAINER_RUNTIME=podman
# shellcheck source=/dev/null
if [ -e "$settings/kmods-via-containers.conf" ]; then . "$settings/kmods-via-containers.conf"; fi
export KVC_CONTAINER_RUNTIME

# For libraries that others wrote.
kvc_c_run() { "$KVC_CONTAINER_RUNTIME" run -i --rm "$@"; }
kvc_c_build() { "$KVC_CONTAINER_RUNTIME" build "$@"; }
kvc_c_images() { "$KVC_CONTAINER_RUNTIME" images "$@"; }
kvc_c_rmi() { "$KVC_CONTAINER_RUNTIME" rmi "$@"; }

unimplemented() {
  echo "$KVC_SOFTWARE_NAME has no $1" >&2
  return 1
}
build_kmods() { unimplemented build_kmods; }
load_kmods() { unimplemented load_kmods; }
unload_kmods() { unimplemented unload_kmods; }
wrapper() { unimplemented wrapper; }

found=no
for directory in ${KVC_LIBRARIES:-/usr/lib/kvc /usr/local/lib/kvc}; do
  if [ -e "$directory/$KVC_SOFTWARE_NAME-lib.sh" ]; then
    # shellcheck source=/dev/null
    . "$directory/$KVC_SOFTWARE_NAME-lib.sh"
    found=yes
    break
  fi
done
if [ "$found" = no ]; then
  echo "There is no library $KVC_SOFTWARE_NAME-lib.sh" >&2
  exit 1
fi

case $KVC_ACTION in
  build) build_kmods ;;
  load) load_kmods ;;
  unload) unload_kmods ;;
  reload)
    build_kmods
    unload_kmods
    load_kmods
    ;;
  wrapper) wrapper "$@" ;;
  *) usage ;;
esac
