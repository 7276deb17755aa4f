// Made from machineconfigs/kvc/ by "npm test -- -u". Do not edit.

/** `machineconfigs/kvc/kmod-lib.sh` */
export const KMOD_LIB_SH = `#!/usr/bin/env bash
# Hooks of kmods-via-containers for a driver whose modules come in a kmod image: nothing is compiled on the node.
# shellcheck source=/dev/null
. "\${KVC_SETTINGS:-/etc/kvc}/$KVC_SOFTWARE_NAME.conf"
# shellcheck source=/dev/null
. "\${KMODLAYER_LIBRARY:-/usr/local/lib/kmodlayer}/kmods.sh"

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
`;

/** `machineconfigs/kvc/kmods-via-containers.conf` */
export const KMODS_VIA_CONTAINERS_CONF = `KVC_CONTAINER_RUNTIME=podman
`;

/** `machineconfigs/kvc/kmods-via-containers.sh` */
export const KMODS_VIA_CONTAINERS_SH = `#!/usr/bin/env bash
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

settings=\${KVC_SETTINGS:-/etc/kvc}
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
for directory in \${KVC_LIBRARIES:-/usr/lib/kvc /usr/local/lib/kvc}; do
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
`;

/** `machineconfigs/kvc/kmods-via-containers@.service` */
export const KMODS_VIA_CONTAINERS_SERVICE = `[Unit]
Description=Kmods Via Containers - %i
# A machine's first boot runs the kernel of the boot image, for which no image needs to exist.
ConditionPathExists=!/etc/ignition-machine-config-encapsulated.json
Wants=network-online.target
After=network-online.target crio-wipe.service machine-config-daemon-firstboot.service
Before=kubelet-dependencies.target kubelet.service systemd-user-sessions.service

[Service]
Type=oneshot
TimeoutStartSec=25m
RemainAfterExit=true
EnvironmentFile=-/etc/mco/proxy.env
# Through bash: some nodes do not start programs of /usr/local/bin directly.
ExecStartPre=/usr/bin/bash -c "/usr/local/bin/kmods-via-containers build %i %v"
ExecStart=/usr/bin/bash -c "/usr/local/bin/kmods-via-containers load %i %v"
ExecReload=/usr/bin/bash -c "/usr/local/bin/kmods-via-containers reload %i %v"
ExecStop=/usr/bin/bash -c "/usr/local/bin/kmods-via-containers unload %i %v"
StandardOutput=journal+console

[Install]
WantedBy=default.target
`;

/** `machineconfigs/kvc/require-kvc.service` */
export const REQUIRE_KVC_SERVICE = `[Unit]

[Service]
Type=oneshot
RemainAfterExit=true
ExecStart=/usr/bin/true

[Install]
WantedBy=multi-user.target
`;
