#!/usr/bin/env bash
# Pulls kmod images and loads their modules with the host's own insmod. The scripts of the loaders "kvc" and "sro" read
# this file after the settings of a driver:
#
#   KMOD_NAMES             modules in the order of loading, separated by spaces
#   KMOD_IMAGE             image, or repository to which the tag of the kernel is added
#   KMOD_IMAGES            array of "KERNEL IMAGE", which comes first
#   KMOD_PARAMETERS        array of "MODULE NAME=VALUE"
#   KMOD_REPLACES          in-tree modules that are unloaded first, and loaded again afterwards
#   KMOD_SOFTDEPS          array of "pre|post MODULE OTHER"
#   KMOD_DIRECTORY         directory of the image that holds lib/modules
#   KMOD_FIRMWARE          directory of the image that holds firmware; may be empty
#   KMOD_FIRMWARE_TARGET   where the firmware goes
#   KMOD_AUTH_FILE, KMOD_PULL_SECONDS, KMOD_LOAD_SECONDS
export LC_ALL=C

KMODS_RUN=${KMODS_RUN:-/run/kmodlayer}
KMODS_SYS=${KMODS_SYS:-/sys}

# kmods_image KERNEL: the image that has its modules.
kmods_image() {
  local row
  for row in ${KMOD_IMAGES[@]+"${KMOD_IMAGES[@]}"}; do
    if [ "${row%% *}" = "$1" ]; then
      printf '%s\n' "${row#* }"
      return 0
    fi
  done
  case ${KMOD_IMAGE##*/} in
    '')
      echo "There is no image for the kernel $1" >&2
      return 1
      ;;
    *:* | *@*) printf '%s\n' "$KMOD_IMAGE" ;;
    *) printf '%s:%s\n' "$KMOD_IMAGE" "${1//[^A-Za-z0-9._-]/_}" ;;
  esac
}

# kmods_pull IMAGE: tries again, with longer and longer pauses, until KMOD_PULL_SECONDS are over.
kmods_pull() {
  local image=$1 delay=${KMODS_FIRST_DELAY:-5} left options=(--quiet) deadline=$((SECONDS + KMOD_PULL_SECONDS))
  if podman image exists "$image"; then return 0; fi
  if [ -r "$KMOD_AUTH_FILE" ]; then options+=(--authfile "$KMOD_AUTH_FILE"); fi
  while :; do
    left=$((deadline - SECONDS))
    if [ "$left" -le 0 ]; then
      echo "Cannot pull $image: gave up after $KMOD_PULL_SECONDS s" >&2
      return 1
    fi
    if timeout --kill-after=5 "$left" podman pull "${options[@]}" "$image"; then return 0; fi
    if [ "$delay" -gt "$((deadline - SECONDS))" ]; then delay=$((deadline - SECONDS)); fi
    if [ "$delay" -gt 0 ]; then
      echo "Cannot pull $image yet; the next try is in $delay s"
      sleep "$delay"
    fi
    delay=$((delay < 60 ? delay * 2 : 60))
  done
}

kmods_is_loaded() { [ -d "$KMODS_SYS/module/${1//-/_}" ]; }

# The kernel marks what was not built with it. A module of the OS image must not stand in for one of the same name.
kmods_is_out_of_tree() { grep -q O "$KMODS_SYS/module/${1//-/_}/taint" 2>/dev/null; }

# kmods_file ROOT MODULE: the file of a module in a tree; "-" and "_" are the same in its name.
kmods_file() { find "$1" -type f -name "${2//[-_]/[-_]}.ko*" -print -quit; }

# What kmods_load did, for kmods_undo.
KMODS_LOADED=()
KMODS_REMOVED=()

# kmods_insert TREE MODULE: a module of the tree after what it depends on, of the tree or of the host.
kmods_insert() {
  local tree=$1 module=$2 file dependency row arguments=()
  file=$(kmods_file "$tree" "$module")
  if [ -z "$file" ]; then
    echo "The image has no module $module for this kernel" >&2
    return 1
  fi
  for row in ${KMOD_SOFTDEPS[@]+"${KMOD_SOFTDEPS[@]}"}; do
    case $row in "pre $module "*) kmods_provide "$tree" "${row##* }" || echo "Going on without ${row##* }" ;; esac
  done
  while IFS= read -r dependency; do
    [ -z "$dependency" ] || kmods_provide "$tree" "$dependency" || return 1
  done < <(modinfo --field=depends "$file" | tr , '\n')
  for row in ${KMOD_PARAMETERS[@]+"${KMOD_PARAMETERS[@]}"}; do
    case $row in "$module "*) arguments+=("${row#* }") ;; esac
  done
  insmod "$file" ${arguments[@]+"${arguments[@]}"} || return 1
  KMODS_LOADED+=("$module")
  echo "Loaded $module ${arguments[*]-}"
  for row in ${KMOD_SOFTDEPS[@]+"${KMOD_SOFTDEPS[@]}"}; do
    case $row in "post $module "*) kmods_provide "$tree" "${row##* }" || echo "Going on without ${row##* }" ;; esac
  done
}

# kmods_provide TREE MODULE: whatever is there of the tree comes first.
kmods_provide() {
  if kmods_is_loaded "$2"; then return 0; fi
  if [ -n "$(kmods_file "$1" "$2")" ]; then kmods_insert "$1" "$2"; else modprobe "$2"; fi
}

# kmods_load NAME IMAGE: all modules of a driver, or none: what was there before is there again when one fails.
kmods_load() {
  local name=$1 image=$2 kernel root status=0
  kernel=$(uname -r)
  root=$(podman image mount "$image") || return 1
  if kmods_own_script "$root" load.sh; then
    kmods_run_own "$name" "$image" load.sh || status=$?
  else
    kmods_load_from "$root" "$root$KMOD_DIRECTORY/lib/modules/$kernel" || status=$?
    if [ "$status" = 0 ]; then
      mkdir -p "$KMODS_RUN"
      printf '%s\n' ${KMODS_REMOVED[@]+"${KMODS_REMOVED[@]}"} >"$KMODS_RUN/$name.replaced"
    else
      kmods_undo
    fi
  fi
  podman image unmount "$image" >/dev/null || true
  return "$status"
}

kmods_load_from() {
  local root=$1 tree=$2 module
  if [ ! -d "$tree" ]; then
    echo "The image has no modules for the kernel ${tree##*/}" >&2
    return 1
  fi
  if [ -n "$KMOD_FIRMWARE" ]; then
    mkdir -p "$KMOD_FIRMWARE_TARGET" || return 1
    cp -R "$root$KMOD_FIRMWARE/." "$KMOD_FIRMWARE_TARGET/" || return 1
    printf '%s' "$KMOD_FIRMWARE_TARGET" >"$KMODS_SYS/module/firmware_class/parameters/path" || return 1
  fi
  for module in ${KMOD_REPLACES[@]+"${KMOD_REPLACES[@]}"} $KMOD_NAMES; do
    if ! kmods_is_loaded "$module"; then continue; fi
    if kmods_is_out_of_tree "$module"; then
      echo "$module is loaded already and stays as it is"
      continue
    fi
    modprobe -r "$module" || return 1
    KMODS_REMOVED+=("$module")
  done
  for module in $KMOD_NAMES; do kmods_provide "$tree" "$module" || return 1; done
}

# Takes back what kmods_load did so far, last first.
kmods_undo() {
  local at
  for ((at = ${#KMODS_LOADED[@]} - 1; at >= 0; at--)); do rmmod "${KMODS_LOADED[at]}" || true; done
  for ((at = ${#KMODS_REMOVED[@]} - 1; at >= 0; at--)); do modprobe "${KMODS_REMOVED[at]}" || true; done
}

# kmods_unload NAME IMAGE: the modules of a driver, last first; the in-tree modules that they replaced come back.
kmods_unload() {
  local name=$1 image=$2 root status=0 modules at module
  if podman image exists "$image" && root=$(podman image mount "$image"); then
    if kmods_own_script "$root" unload.sh; then
      kmods_run_own "$name" "$image" unload.sh || status=$?
      podman image unmount "$image" >/dev/null || true
      return "$status"
    fi
    podman image unmount "$image" >/dev/null || true
  fi
  read -r -a modules <<<"$KMOD_NAMES"
  for ((at = ${#modules[@]} - 1; at >= 0; at--)); do
    if kmods_is_loaded "${modules[at]}"; then rmmod "${modules[at]}" || status=1; fi
  done
  if [ "$status" != 0 ] || [ ! -e "$KMODS_RUN/$name.replaced" ]; then return "$status"; fi
  while IFS= read -r module; do
    [ -z "$module" ] || modprobe "$module" || status=1
  done <"$KMODS_RUN/$name.replaced"
  rm -f "$KMODS_RUN/$name.replaced"
  return "$status"
}

# kmods_own_script ROOT SCRIPT: images of driver containers bring their own load.sh and unload.sh.
kmods_own_script() {
  local directory
  for directory in /usr/local/bin /usr/bin /usr/local/sbin /usr/sbin /bin; do
    if [ -x "$1$directory/$2" ]; then return 0; fi
  done
  return 1
}

kmods_run_own() {
  timeout --kill-after=5 "$KMOD_LOAD_SECONDS" \
    podman run --rm --replace --name "kmods-$1" --privileged --network host --pull never \
    --volume "${KMODS_MODULES:-/lib/modules}:/lib/modules" "$2" "$3"
}
