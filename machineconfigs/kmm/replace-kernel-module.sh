#!/usr/bin/env bash
# Replaces in-tree modules by the module of the kmod image, with the worker of KMM. Without the images, which
# pull-kernel-module-image.sh brings, it does nothing: the node boots with the in-tree modules. When the module cannot be
# loaded, the unit fails, and the in-tree modules are loaded again.
set -euo pipefail
export LC_ALL=C

: "${KERNEL_MODULE:?}" "${KERNEL_MODULE_IMAGE:?}" "${WORKER_IMAGE:?}" "${WORKER_CONFIG_FILEPATH:?}"
: "${MACHINE_CONFIG_NAME:?}" "${LOAD_TIMEOUT_SECONDS:?}"
firmware_directory=${FIRMWARE_DIRECTORY:-/var/lib/firmware}
state=${DAY1_RUN_DIRECTORY:-/run/kmm-day1}
read -r -a in_tree <<<"${IN_TREE_MODULES_TO_REMOVE:-}"

image_for_kernel() {
  local tag
  case ${KERNEL_MODULE_IMAGE##*/} in
    *:* | *@*) printf '%s\n' "$KERNEL_MODULE_IMAGE" ;;
    *)
      tag=$(uname -r)
      printf '%s:%s\n' "$KERNEL_MODULE_IMAGE" "${tag//[^A-Za-z0-9._-]/_}"
      ;;
  esac
}

# The worker looks for a file of the name; the kernel's own files may have "-" where its modules have "_".
file_name_of() {
  local path
  path=$(modinfo --field=filename "$1" 2>/dev/null) || path=''
  case $path in
    /*) path=${path##*/} && printf '%s\n' "${path%%.ko*}" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# Nothing in it needs quotes: whoever made this unit has seen to that. Parameters are a list in JSON, which YAML is.
write_config() {
  local module
  printf 'containerImage: %s\n' "$1"
  if [ ${#in_tree[@]} -gt 0 ]; then
    echo 'inTreeModulesToRemove:'
    for module in "${in_tree[@]}"; do printf -- '- "%s"\n' "$(file_name_of "$module")"; done
  fi
  printf 'modprobe:\n  dirName: %s\n  moduleName: "%s"\n' "${MODULES_DIRECTORY:-/opt}" "$KERNEL_MODULE"
  if [ -n "${FIRMWARE_FILES_PATH:-}" ]; then printf '  firmwarePath: %s\n' "$FIRMWARE_FILES_PATH"; fi
  if [ -n "${MODULE_PARAMETERS:-}" ]; then printf '  parameters: %s\n' "$MODULE_PARAMETERS"; fi
}

load() {
  local image=$1 options=() arguments=(kmod load /etc/kmm-worker/config.yaml)
  if [ -n "${FIRMWARE_FILES_PATH:-}" ]; then
    mkdir -p "$firmware_directory"
    options=(--volume "$firmware_directory:$firmware_directory")
    arguments+=(--firmware-path "$firmware_directory")
  fi
  # The image is mounted where the worker looks for it: nothing in it runs, and nothing has to be copied or cleaned.
  timeout --kill-after=5 "$LOAD_TIMEOUT_SECONDS" \
    podman run --rm --replace --name "kmm-day1-$MACHINE_CONFIG_NAME" --network host --pull never \
    --user 0 --privileged \
    --mount "type=image,source=$image,destination=/tmp,rw=true" \
    --volume "${DAY1_MODULES_DIRECTORY:-/lib/modules}:/lib/modules:ro" \
    --volume "$WORKER_CONFIG_FILEPATH:/etc/kmm-worker/config.yaml:ro" \
    ${options[@]+"${options[@]}"} "$WORKER_IMAGE" "${arguments[@]}" 9>&-
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
for each in ${in_tree[@]+"${in_tree[@]}"}; do
  if [ -d "${DAY1_SYS_DIRECTORY:-/sys}/module/${each//-/_}" ]; then was_loaded+=("$each"); fi
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
for each in ${was_loaded[@]+"${was_loaded[@]}"}; do
  modprobe "$each" || echo "Cannot load the in-tree module $each again" >&2
done
exit "$status"
