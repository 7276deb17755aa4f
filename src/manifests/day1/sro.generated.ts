// Made from machineconfigs/sro/ by "npm test -- -u". Do not edit.

/** `machineconfigs/sro/driver.service` */
export const DRIVER_SERVICE = `[Unit]
# A machine's first boot runs the kernel of the boot image, for which no image needs to exist.
ConditionPathExists=!/etc/ignition-machine-config-encapsulated.json
Wants=network-online.target
After=network-online.target crio-wipe.service machine-config-daemon-firstboot.service
Before=kubelet-dependencies.target kubelet.service

[Service]
Type=oneshot
RemainAfterExit=true
StandardOutput=journal+console

[Install]
WantedBy=default.target
`;

/** `machineconfigs/sro/load-driver.sh` */
export const LOAD_DRIVER_SH = `#!/usr/bin/env bash
# load|unload IMAGE: loads the modules of a driver from an image, or unloads them. IMAGE may be a repository, whose tags
# are kernel releases, an image by tag or digest, or "-" for that which the settings of the driver name for the kernel.
set -euo pipefail

usage() {
  echo "usage: $0 load|unload IMAGE" >&2
  exit 1
}

[ $# = 2 ] || usage
name=\${0##*/}
# shellcheck source=/dev/null
. "\${KMODLAYER_SETTINGS:-/etc/kmodlayer}/$name.conf"
# shellcheck source=/dev/null
. "\${KMODLAYER_LIBRARY:-/usr/local/lib/kmodlayer}/kmods.sh"
if [ "$2" != - ]; then export KMOD_IMAGE=$2; fi
image=$(kmods_image "$(uname -r)")

case $1 in
  load) kmods_pull "$image" && kmods_load "$name" "$image" ;;
  unload) kmods_unload "$name" "$image" ;;
  *) usage ;;
esac
`;
