// Made from machineconfigs/kmm/ by "npm test -- -u". Do not edit.

/** `machineconfigs/kmm/pull-kernel-module-image.service` */
export const PULL_KERNEL_MODULE_IMAGE_SERVICE = `[Unit]
Description=Pull oot kernel module image
ConditionPathExists=!/etc/ignition-machine-config-encapsulated.json
DefaultDependencies=no
RequiresMountsFor=/var/lib/containers
Wants=network-online.target
After=network-online.target NetworkManager-dispatcher.service machine-config-daemon-firstboot.service
# The node reboots when something was pulled: before there are pods on it, not after.
Before=kubelet-dependencies.target kubelet.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
User=root
Type=oneshot
ExecStartPre=/usr/local/bin/wait-for-dispatcher.sh
ExecStart=/usr/local/bin/pull-kernel-module-image.sh
PrivateTmp=yes
RemainAfterExit=no

[Install]
WantedBy=multi-user.target
`;

/** `machineconfigs/kmm/pull-kernel-module-image.sh` */
export const PULL_KERNEL_MODULE_IMAGE_SH = `#!/usr/bin/env bash
# Pulls the kmod image of the running kernel and the worker image, and reboots the node when one of them is new: the
# module is replaced before the network comes up. Units that pull at the same time share one reboot.
set -euo pipefail
export LC_ALL=C

: "\${KERNEL_MODULE_IMAGE:?}" "\${WORKER_IMAGE:?}" "\${MACHINE_CONFIG_NAME:?}" "\${PULL_TIMEOUT_SECONDS:?}"
auth_file=\${AUTH_FILE:-/var/lib/kubelet/config.json}
state=\${DAY1_RUN_DIRECTORY:-/run/kmm-day1}
deadline=$((SECONDS + PULL_TIMEOUT_SECONDS))
has_pulled=no

# A repository gets the tag that is the kernel release, as KMM writes it; what has a tag or a digest stays as it is.
image_for_kernel() {
  local tag
  case \${KERNEL_MODULE_IMAGE##*/} in
    *:* | *@*) printf '%s\\n' "$KERNEL_MODULE_IMAGE" ;;
    *)
      tag=$(uname -r)
      printf '%s:%s\\n' "$KERNEL_MODULE_IMAGE" "\${tag//[^A-Za-z0-9._-]/_}"
      ;;
  esac
}

pull() {
  local image=$1 delay=\${FIRST_DELAY_SECONDS:-5} left options=(--quiet)
  if [ -r "$auth_file" ]; then options+=(--authfile "$auth_file"); fi
  while :; do
    left=$((deadline - SECONDS))
    if [ "$left" -le 0 ]; then
      echo "Cannot pull $image: gave up after $PULL_TIMEOUT_SECONDS s" >&2
      return 1
    fi
    if timeout --kill-after=5 "$left" podman pull "\${options[@]}" "$image"; then return 0; fi
    if [ "$delay" -gt "$((deadline - SECONDS))" ]; then delay=$((deadline - SECONDS)); fi
    if [ "$delay" -gt 0 ]; then
      echo "Cannot pull $image yet; the next try is in $delay s"
      sleep "$delay"
    fi
    delay=$((delay < 60 ? delay * 2 : 60))
  done
}

# The last unit to end reboots, if any of them pulled something, whether this one could or not.
finish() {
  local status=$?
  {
    flock 9
    rm -f "$state/$MACHINE_CONFIG_NAME.pulling"
    if [ "$status" = 0 ] && [ "$has_pulled" = yes ]; then : >"$state/reboot"; fi
    if [ -e "$state/reboot" ] && ! compgen -G "$state/*.pulling" >/dev/null; then
      echo 'New images are here; rebooting so that the module is replaced before the network comes up'
      if systemctl reboot; then rm -f "$state/reboot"; else status=1; fi
    fi
  } 9>"$state/lock"
  exit "$status"
}

image=$(image_for_kernel)
mkdir -p "$state"
: >"$state/$MACHINE_CONFIG_NAME.pulling"
trap finish EXIT
trap 'exit 143' TERM

for each in "$WORKER_IMAGE" "$image"; do
  if podman image exists "$each"; then
    echo "$each is here"
  else
    pull "$each"
    has_pulled=\${REBOOT:-yes}
  fi
done
`;

/** `machineconfigs/kmm/replace-kernel-module.service` */
export const REPLACE_KERNEL_MODULE_SERVICE = `[Unit]
Description=Replace in-tree kernel module with oot kernel module
# A machine's first boot runs the kernel of the boot image, for which no image needs to exist.
ConditionPathExists=!/etc/ignition-machine-config-encapsulated.json
DefaultDependencies=no
RequiresMountsFor=/var/lib/containers /var/lib/firmware
After=local-fs.target systemd-tmpfiles-setup.service systemd-udev-trigger.service
Wants=network-pre.target
Before=network-pre.target
Conflicts=shutdown.target
Before=shutdown.target

[Service]
User=root
Type=oneshot
ExecStart=/usr/local/bin/replace-kernel-module.sh
PrivateTmp=yes
RemainAfterExit=no

[Install]
WantedBy=multi-user.target
`;

/** `machineconfigs/kmm/replace-kernel-module.sh` */
export const REPLACE_KERNEL_MODULE_SH = `#!/usr/bin/env bash
# Replaces in-tree modules by the module of the kmod image, with the worker of KMM. Without the images, which
# pull-kernel-module-image.sh brings, it does nothing: the node boots with the in-tree modules. When the module cannot be
# loaded, the unit fails, and the in-tree modules are loaded again.
set -euo pipefail
export LC_ALL=C

: "\${KERNEL_MODULE:?}" "\${KERNEL_MODULE_IMAGE:?}" "\${WORKER_IMAGE:?}" "\${WORKER_CONFIG_FILEPATH:?}"
: "\${MACHINE_CONFIG_NAME:?}" "\${LOAD_TIMEOUT_SECONDS:?}"
firmware_directory=\${FIRMWARE_DIRECTORY:-/var/lib/firmware}
state=\${DAY1_RUN_DIRECTORY:-/run/kmm-day1}
read -r -a in_tree <<<"\${IN_TREE_MODULES_TO_REMOVE:-}"

image_for_kernel() {
  local tag
  case \${KERNEL_MODULE_IMAGE##*/} in
    *:* | *@*) printf '%s\\n' "$KERNEL_MODULE_IMAGE" ;;
    *)
      tag=$(uname -r)
      printf '%s:%s\\n' "$KERNEL_MODULE_IMAGE" "\${tag//[^A-Za-z0-9._-]/_}"
      ;;
  esac
}

# The worker looks for a file of the name; the kernel's own files may have "-" where its modules have "_".
file_name_of() {
  local path
  path=$(modinfo --field=filename "$1" 2>/dev/null) || path=''
  case $path in
    /*) path=\${path##*/} && printf '%s\\n' "\${path%%.ko*}" ;;
    *) printf '%s\\n' "$1" ;;
  esac
}

# Nothing in it needs quotes: whoever made this unit has seen to that. Parameters are a list in JSON, which YAML is.
write_config() {
  local module
  printf 'containerImage: %s\\n' "$1"
  if [ \${#in_tree[@]} -gt 0 ]; then
    echo 'inTreeModulesToRemove:'
    for module in "\${in_tree[@]}"; do printf -- '- "%s"\\n' "$(file_name_of "$module")"; done
  fi
  printf 'modprobe:\\n  dirName: %s\\n  moduleName: "%s"\\n' "\${MODULES_DIRECTORY:-/opt}" "$KERNEL_MODULE"
  if [ -n "\${FIRMWARE_FILES_PATH:-}" ]; then printf '  firmwarePath: %s\\n' "$FIRMWARE_FILES_PATH"; fi
  if [ -n "\${MODULE_PARAMETERS:-}" ]; then printf '  parameters: %s\\n' "$MODULE_PARAMETERS"; fi
}

load() {
  local image=$1 options=() arguments=(kmod load /etc/kmm-worker/config.yaml)
  if [ -n "\${FIRMWARE_FILES_PATH:-}" ]; then
    mkdir -p "$firmware_directory"
    options=(--volume "$firmware_directory:$firmware_directory")
    arguments+=(--firmware-path "$firmware_directory")
  fi
  # The image is mounted where the worker looks for it: nothing in it runs, and nothing has to be copied or cleaned.
  timeout --kill-after=5 "$LOAD_TIMEOUT_SECONDS" \\
    podman run --rm --replace --name "kmm-day1-$MACHINE_CONFIG_NAME" --network host --pull never \\
    --user 0 --privileged \\
    --mount "type=image,source=$image,destination=/tmp,rw=true" \\
    --volume "\${DAY1_MODULES_DIRECTORY:-/lib/modules}:/lib/modules:ro" \\
    --volume "$WORKER_CONFIG_FILEPATH:/etc/kmm-worker/config.yaml:ro" \\
    \${options[@]+"\${options[@]}"} "$WORKER_IMAGE" "\${arguments[@]}" 9>&-
}

image=$(image_for_kernel)
for each in "$WORKER_IMAGE" "$image"; do
  if ! podman image exists "$each"; then
    echo "$each is not here; going on with the in-tree modules"
    exit 0
  fi
done

# Several units of this kind use the same path for their configuration, which others read: they take turns.
mkdir -p "$state" "$(dirname "$WORKER_CONFIG_FILEPATH")"
exec 9>"$state/load.lock"
flock 9

was_loaded=()
for each in \${in_tree[@]+"\${in_tree[@]}"}; do
  if [ -d "\${DAY1_SYS_DIRECTORY:-/sys}/module/\${each//-/_}" ]; then was_loaded+=("$each"); fi
done
write_config "$image" >"$WORKER_CONFIG_FILEPATH.new"
mv -f "$WORKER_CONFIG_FILEPATH.new" "$WORKER_CONFIG_FILEPATH"

status=0
load "$image" || status=$?
if [ "$status" = 0 ]; then
  echo "$KERNEL_MODULE of $image is loaded"
  exit 0
fi
echo "Cannot load $KERNEL_MODULE of $image: the worker ended with $status" >&2
for each in \${was_loaded[@]+"\${was_loaded[@]}"}; do
  modprobe "$each" || echo "Cannot load the in-tree module $each again" >&2
done
exit "$status"
`;

/** `machineconfigs/kmm/wait-for-dispatcher.sh` */
export const WAIT_FOR_DISPATCHER_SH = `#!/usr/bin/env bash
# Waits until NetworkManager's dispatcher has run once and is idle: on some platforms its scripts set up the DNS that the
# pull needs. Whoever has no dispatcher does not wait, and nobody waits longer than DISPATCHER_TIMEOUT_SECONDS: the pull
# then says by itself what is missing.
set -euo pipefail

readonly DISPATCHER=NetworkManager-dispatcher.service

# A unit that never ran is inactive, too; the time at which it became so is then 0.
is_done() {
  local state key value load='' active='' idle_since=0
  state=$(systemctl show --property=LoadState,ActiveState,InactiveEnterTimestampMonotonic "$DISPATCHER") || return 1
  while IFS='=' read -r key value; do
    case $key in
      LoadState) load=$value ;;
      ActiveState) active=$value ;;
      InactiveEnterTimestampMonotonic) idle_since=$value ;;
    esac
  done <<<"$state"
  [ "$load" != loaded ] || { [ "$active" != activating ] && [ "$active" != active ] && [ "$idle_since" != 0 ]; }
}

deadline=$((SECONDS + \${DISPATCHER_TIMEOUT_SECONDS:-120}))
until is_done; do
  if [ "$SECONDS" -ge "$deadline" ]; then
    echo "$DISPATCHER has not run yet; going on without it"
    exit 0
  fi
  sleep 1
done
`;
