#!/usr/bin/env bash
# Hooks of kmods-via-containers for a driver whose modules come in a kmod image: nothing is compiled on the node.
# shellcheck source=/dev/null
. "${KVC_SETTINGS:-/etc/kvc}/$KVC_SOFTWARE_NAME.conf"
# shellcheck source=/dev/null
. "${KMODLAYER_LIBRARY:-/usr/local/lib/kmodlayer}/kmods.sh"

build_kmods() {
  local image
  image=$(kmods_image "$KVC_KVER")
  kmods_pull "$image"
}

load_kmods() {
  local image
  image=$(kmods_image "$KVC_KVER")
  kmods_load "$KVC_SOFTWARE_NAME" "$image"
}

unload_kmods() {
  local image
  image=$(kmods_image "$KVC_KVER")
  kmods_unload "$KVC_SOFTWARE_NAME" "$image"
}

# Runs a program of the image.
wrapper() {
  local image
  image=$(kmods_image "$KVC_KVER")
  kvc_c_run --privileged --network host --volume /lib/modules:/lib/modules "$image" "$@"
}
