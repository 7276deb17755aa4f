#!/usr/bin/env bash
# Loads the kernel modules of one driver from a kmod image, before the network comes up (Day 1).
#
#   day1.sh COMMAND CONFIG
#
#   pull       fetches the image of the running kernel and keeps its modules; loads them, or reboots, where that is due
#   load       takes the modules of the OS image away, and loads those that are kept
#   unload     takes them away again, and loads those of the OS image
#   status     prints what was done last
#   verify     says whether everything is as it should be; ends with 1 when it is not
#   uninstall  unloads, and removes all that was kept
#
# CONFIG is a file of lines of words that tabs part; see docs/day1-host.md. Nothing in it is ever read as shell.
# Ends with 0 done, 1 failed, 2 usage.
set -uo pipefail

# Tests that cannot load modules put these elsewhere.
readonly store_root=${KMODLAYER_STORE:-/var/lib/kmodlayer}
readonly run_root=${KMODLAYER_RUN:-/run/kmodlayer}
readonly modprobe_directory=${KMODLAYER_MODPROBE_DIRECTORY:-/run/modprobe.d}
readonly sysfs=${KMODLAYER_SYSFS:-/sys}
readonly busy=75 # EX_TEMPFAIL: a module of the OS image is in use

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
usage() {
  complain "usage: ${0##*/} pull|load|unload|status|verify|uninstall CONFIG"
  exit 2
}

name='' driver='' directory=/opt firmware='' firmware_directory=/var/lib/firmware activation=live
auth_file=/var/lib/kubelet/config.json pull_timeout=300 image=''
modules=() replaces=() before=() after=() parameters=() follows=()

read_config() {
  local key first rest fallback=''
  [ -r "$1" ] || { complain "$1: cannot be read"; exit 2; }
  while IFS=$'\t' read -r key first rest; do
    case $key in
    '' | '#'*) ;;
    name) name=$first ;;
    driver) driver=$first ;;
    image)
      if [ "$first" = "$kernel" ]; then image=$rest; fi
      if [ "$first" = '*' ]; then fallback=$rest; fi
      ;;
    directory) directory=$first ;;
    firmware) firmware=$first ;;
    firmware-directory) firmware_directory=$first ;;
    activation) activation=$first ;;
    auth-file) auth_file=$first ;;
    pull-timeout) pull_timeout=$first ;;
    follows) follows+=("$first") ;;
    module) modules+=("$first") ;;
    parameter) parameters+=("$first"$'\t'"$rest") ;;
    replaces) replaces+=("$first") ;;
    before) before+=("$first") ;;
    after) after+=("$first") ;;
    *)
      complain "$1: $key is not known here"
      exit 2
      ;;
    esac
  done <"$1"
  image=${image:-$fallback}
  if [ -z "$name" ] || [ ${#modules[@]} = 0 ]; then
    complain "$1: names no driver or no module"
    exit 2
  fi
  # A repository without tag or digest has an image for each kernel, with a tag that registries take.
  case ${image##*/} in
  '' | *[:@]*) ;;
  *) image+=":${kernel//[^A-Za-z0-9._-]/_}" ;;
  esac
}

# What was done last, for people and for programs: lines of KEY=VALUE.
set_state() {
  local file=$store_root/$name/state
  mkdir -p "$store_root/$name" || return
  {
    printf 'state=%s\nkernel=%s\nimage=%s\nboot=%s\nsince=%s\nmessage=%s\n' \
      "$1" "$kernel" "$image" "$boot" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2"
  } >"$file.new" && mv -f "$file.new" "$file"
  say "$driver: $1: $2"
}

fail() {
  set_state "$1" "$2" >&2
  exit 1
}

# The name of a module as sysfs has it.
plain() { printf '%s' "${1//-/_}"; }

is_loaded() { [ -e "$sysfs/module/$(plain "$1")/initstate" ]; }

# The file of a module among those that are kept; empty when there is none.
file_of() {
  local pattern
  pattern=$(plain "$1")
  find "$kept/lib/modules/$kernel" -name host -prune -o -type f -name "${pattern//_/[-_]}.ko*" -print 2>/dev/null | head -n 1
}

# What is kept is of this image, and nothing of it changed since.
is_kept() {
  [ -n "$image" ] && [ "$(cat "$kept/image" 2>/dev/null)" = "$image" ] &&
    (cd "$kept" && sha256sum --check --status SHA256SUMS) 2>/dev/null
}

# Says whether a module that is loaded can be the one of the image: the kernel tells its source version, where it has one,
# and whether it was built with the kernel.
is_from_image() {
  local file wanted at
  is_loaded "$1" || return 1
  file=$(file_of "$1")
  at=$sysfs/module/$(plain "$1")
  wanted=$(modinfo -F srcversion "$file" 2>/dev/null)
  [ -z "$wanted" ] || [ "$wanted" = "$(cat "$at/srcversion" 2>/dev/null)" ] || return 1
  [ -n "$(modinfo -F intree "$file" 2>/dev/null)" ] || grep -q O "$at/taint" 2>/dev/null
}

has_line() { grep -qxF -e "$2" "$1" 2>/dev/null; }

# Says whether this script loaded all modules of the image in this boot, and they are still there.
all_ours() {
  local module
  has_line "$run/loaded" "$image" || return 1
  for module in "${modules[@]}"; do is_from_image "$module" || return 1; done
}

# --- pull

# Tries until the time is over, or the registry says that there is no such image, or not for this node.
fetch() {
  local deadline=$((SECONDS + pull_timeout)) pause=2 left answer credentials=()
  # Images that nodes pin, or pulled before, need no registry; what a tag is may have changed.
  case $image in *@*) if podman image exists "$image"; then return 0; fi ;; esac
  [ ! -r "$auth_file" ] || credentials=(--authfile "$auth_file")
  while left=$((deadline - SECONDS)) && [ "$left" -gt 0 ]; do
    if answer=$(timeout "$left" podman pull --quiet "${credentials[@]}" "$image" 2>&1 >/dev/null); then
      return 0
    fi
    complain "$answer"
    case $answer in *'manifest unknown'* | *'name unknown'* | *unauthorized* | *denied*) return 1 ;; esac
    [ $((SECONDS + pause)) -lt "$deadline" ] || return 1
    complain "$driver: $image could not be pulled; trying again in $pause s"
    sleep "$pause"
    pause=$((pause < 30 ? pause * 2 : 30))
  done
  return 1
}

# copy FROM TO: what is below a directory.
copy() { mkdir -p "$2" && tar -C "$1" --exclude=./host -cf - . | tar -C "$2" --no-same-owner -xf -; }

# Copies what the running kernel needs out of the image, so that the load at boot needs neither podman nor its storage,
# and SELinux can be told that these are modules.
keep() {
  local mount=$1 new=$2 source tree
  source=$mount$directory/lib/modules/$kernel
  tree=$new/lib/modules/$kernel
  if [ ! -d "$source" ]; then
    complain "$driver: $image has no $directory/lib/modules/$kernel"
    return 1
  fi
  copy "$source" "$tree" || return
  if [ -n "$firmware" ]; then
    if [ ! -d "$mount$firmware" ]; then
      complain "$driver: $image has no $firmware"
      return 1
    fi
    copy "$mount$firmware" "$new/firmware" || return
  fi
  if [ ! -s "$tree/modules.dep.bin" ]; then depmod -b "$new" "$kernel" || return; fi
  # kmod of newer distributions looks below usr/lib.
  mkdir "$new/usr" && ln -s ../lib "$new/usr/lib" || return
  # Indexes of kmod images name modules of the OS image by way of this link.
  ln -s "/lib/modules/$kernel" "$tree/host" || return
  printf '%s\n' "$image" >"$new/image" &&
    (cd "$new" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >"$new.sums") &&
    mv "$new.sums" "$new/SHA256SUMS" || return
  if command -v selinuxenabled >/dev/null && selinuxenabled; then
    chcon -R -t modules_object_t "$new/lib/modules" || complain "$driver: the label of modules could not be set"
  fi
  sync -f "$new"
}

# What is half done is never seen under the final name.
pull_and_keep() {
  local mount new was_there=true status=0
  podman image exists "$image" || was_there=false
  if ! fetch; then
    systemctl start --no-block "$name-pull.timer"
    fail pull-failed "$image could not be pulled; it is tried again every few minutes"
  fi
  systemctl stop "$name-pull.timer" 2>/dev/null
  rm -rf "$store_root/$name"/.new.*
  if ! mkdir -p "$store_root/$name" || ! new=$(mktemp -d "$store_root/$name/.new.XXXXXX"); then
    fail failed "nothing can be written to $store_root"
  fi
  if mount=$(podman image mount "$image"); then
    keep "$mount" "$new" || status=1
    podman image unmount "$image" >/dev/null
  else
    status=1
  fi
  # What podman had before stays; a copy of what was kept is of no use.
  [ "$was_there" = true ] || podman rmi "$image" >/dev/null 2>&1
  if [ "$status" != 0 ]; then
    rm -rf "$new"
    fail bad-image "$image could not be used"
  fi
  if ! rm -rf "$kept" || ! mv "$new" "$kept"; then fail failed "$kept could not be written"; fi
  prune
}

# Kernels that nodes had before may be booted again; two of them are kept.
prune() {
  find "$store_root/$name" -mindepth 1 -maxdepth 1 -type d ! -name '.*' ! -name "$kernel" -printf '%T@ %p\0' |
    sort -zrn | tail -z -n +3 | cut -z -d' ' -f2- | xargs -0 -r rm -rf
}

pull() {
  [ -n "$image" ] || fail no-image "the configuration names no image for kernel $kernel"
  # Held to the end, so that drivers that need this one can wait.
  exec 6>"$lock.$name" && flock -w "$pull_timeout" 6
  if is_kept; then
    say "$driver: the modules of $image are there"
  else
    exec 8>"$lock" && flock -s 8
    pull_and_keep
    exec 8>&-
  fi
  activate
}

any_loaded() {
  local module
  for module in "${modules[@]}" "${replaces[@]}"; do
    if is_loaded "$module"; then return 0; fi
  done
  return 1
}

activate() {
  local status=0 other is_busy_node=false
  if all_ours; then
    set_state loaded "the modules of $image are loaded"
    return
  fi
  if has_line "$run/failed" "$image"; then
    fail failed "the modules of $image could not be loaded in this boot; see the journal of $name-load.service"
  fi
  if systemctl is-active --quiet kubelet.service; then is_busy_node=true; fi
  # Pods may use what is there; adding a module that nothing stood in for harms none.
  if [ "$activation" = next-boot ] || { $is_busy_node && { [ "$activation" = reboot ] || any_loaded; }; }; then
    set_state pending-reboot "the modules of $image will be loaded when the node boots next"
    return
  fi
  if [ "$activation" = live ]; then
    for other in "${follows[@]}"; do
      (exec 5>"$lock.$other" && flock -w "$pull_timeout" 5)
    done
    try_load || status=$?
    if [ "$status" = 0 ]; then
      set_state loaded "the modules of $image are loaded"
      return
    fi
    [ "$status" = "$busy" ] || fail failed "the modules of $image could not be loaded; see the lines before"
    if $is_busy_node; then
      set_state pending-reboot "the modules of $image will be loaded when the node boots next"
      return
    fi
  fi
  if has_line "$kept/rebooted" "$image"; then
    fail failed "the node was rebooted for $image, and its modules are not loaded"
  fi
  # Others that still pull are waited for: one reboot does for all.
  exec 9>"$lock" && flock -w "$pull_timeout" 9
  if ! printf '%s\n' "$image" >"$kept/rebooted" || ! sync -f "$kept"; then fail failed "$kept could not be written"; fi
  set_state rebooting "the node is rebooted to load the modules of $image"
  systemctl reboot
}

# --- load

# Says whether another driver wrote a file of firmware, too.
others_have() {
  local list
  for list in "$store_root"/*/firmware; do
    if [ "$list" != "$written" ] && grep -zqxF -e "$1" "$list" 2>/dev/null; then return 0; fi
  done
  return 1
}

# What stood there before any driver is nobody's, and stays when drivers go.
write_firmware() {
  local file target is_there
  [ -n "$firmware" ] || return 0
  mkdir -p "$firmware_directory" || return
  while IFS= read -r -d '' file; do
    target=$firmware_directory/$file is_there=false
    if cmp -s "$kept/firmware/$file" "$target"; then is_there=true; fi
    if ! grep -zqxF -e "$target" "$written" 2>/dev/null && { ! $is_there || others_have "$target"; }; then
      printf '%s\0' "$target" >>"$written" || return
    fi
    if $is_there; then continue; fi
    mkdir -p "$(dirname "$target")" &&
      cp "$kept/firmware/$file" "$target.new.$$" &&
      mv -f "$target.new.$$" "$target" || return
  done < <(cd "$kept/firmware" && find . -type f -printf '%P\0')
  # Said on the kernel's command line, too; this is for the boot in which it is not there yet.
  file=$sysfs/module/firmware_class/parameters/path
  if [ "$(cat "$file" 2>/dev/null)" != "$firmware_directory" ]; then printf '%s' "$firmware_directory" >"$file"; fi
}

# remove MODULE...: takes them away, whatever order they need. udev may hold one for a moment.
remove() {
  local attempt module left=("$@") still answer=''
  for attempt in 1 2 3 4 5 6; do
    still=()
    for module in "${left[@]}"; do
      if is_loaded "$module" && ! answer=$(rmmod "$module" 2>&1); then still+=("$module"); fi
    done
    [ ${#still[@]} -gt 0 ] || return 0
    [ ${#still[@]} -lt ${#left[@]} ] || [ "$attempt" = 6 ] || sleep 0.5
    left=("${still[@]}")
  done
  complain "$driver: $answer"
  return 1
}

# Loads what a module of ours needs from the OS image; what it needs of ours, our indexes name.
load_needed() {
  local needed
  while IFS= read -r needed; do
    if [ -z "$needed" ] || is_loaded "$needed"; then continue; fi
    if [ -n "$(file_of "$needed")" ]; then load_needed "$needed" || return; else modprobe "$needed" || return; fi
  done < <(modinfo -F depends "$(file_of "$1")" | tr ',' '\n')
}

load_one() {
  local module=$1 entry given=()
  for entry in "${parameters[@]}"; do
    if [ "${entry%%$'\t'*}" = "$module" ]; then given+=("${entry#*$'\t'}"); fi
  done
  if [ -z "$(file_of "$module")" ]; then
    complain "$driver: $image has no module $module for kernel $kernel"
    return 1
  fi
  load_needed "$module" && modprobe -d "$kept" -S "$kernel" "$module" "${given[@]}" || return
  if ! is_from_image "$module"; then
    complain "$driver: another $module was loaded in the meantime"
    return 1
  fi
}

load_all() {
  local module
  write_firmware || { complain "$driver: the firmware could not be written"; return 1; }
  for module in "${before[@]}" "${modules[@]}" "${after[@]}"; do
    if [ -n "$(file_of "$module")" ] || has_line <(printf '%s\n' "${modules[@]}") "$module"; then
      load_one "$module"
    else
      modprobe "$module"
    fi || { complain "$driver: $module could not be loaded"; return 1; }
  done
}

# Everything or nothing: when it does not work, the modules of the OS image are back. Returns $busy when those cannot be
# taken away.
try_load() {
  local module status=0
  mkdir -p "$run" "$modprobe_directory" || return 1
  exec 7>"$lock.load" && flock -w 60 7
  # Until ours are there, udev must not load those of the OS image again.
  printf 'blacklist %s\n' "${modules[@]}" "${replaces[@]}" >"$modprobe_directory/kmodlayer-$name.conf" || return 1
  udevadm control --reload 2>/dev/null
  udevadm settle --timeout=30 || complain "$driver: devices still come up; going on"
  for module in "${modules[@]}" "${replaces[@]}"; do
    # An older image of the driver may be loaded: what it took away is known.
    if is_loaded "$module" && [ ! -e "$run/loaded" ] && ! has_line "$run/removed" "$module"; then
      printf '%s\n' "$module" >>"$run/removed"
    fi
  done
  # The time that systemd gives is over: a node without its network would be worse than one with the old driver.
  trap 'put_back; fail failed "loading the modules of $image took too long; those of the OS image are back"' TERM
  if ! remove "${modules[@]}" "${replaces[@]}"; then
    status=$busy
  else
    printf '%s\n' "$image" >"$run/loaded"
    load_all || status=1
  fi
  if [ "$status" = 0 ]; then
    rm -f "$run/failed"
  else
    printf '%s\n' "$image" >"$run/failed"
    put_back
  fi
  trap - TERM
  exec 7>&-
  return "$status"
}

# Ours away, those of the OS image back.
put_back() {
  local module status=0
  # Without this, none of those that are loaded is ours.
  if [ -e "$run/loaded" ]; then remove "${modules[@]}" || status=1; fi
  rm -f "$modprobe_directory/kmodlayer-$name.conf" "$run/loaded"
  udevadm control --reload 2>/dev/null
  while IFS= read -r module; do
    modprobe "$module" || status=1
  done < <(cat "$run/removed" 2>/dev/null)
  rm -f "$run/removed"
  return "$status"
}

load() {
  local status=0
  if [ -z "$image" ]; then
    say "$driver: the configuration names no image for kernel $kernel"
    return
  fi
  if ! is_kept; then
    set_state waiting "the modules for kernel $kernel are not here yet"
    return
  fi
  if all_ours; then
    say "$driver: the modules of $image are loaded"
    return
  fi
  try_load || status=$?
  [ "$status" = 0 ] || fail failed "the modules of $image could not be loaded; those of the OS image are back"
  set_state loaded "the modules of $image are loaded"
}

unload() {
  put_back || fail failed "not everything could be unloaded; a reboot does that"
  set_state unloaded "the modules of the OS image are back"
}

# --- the rest

status() {
  cat "$store_root/$name/state" 2>/dev/null || say "state=unknown"
}

failures=0
# check CODE TEXT
check() {
  if [ "$1" = 0 ]; then say "ok    $2"; else
    say "FAIL  $2"
    failures=$((failures + 1))
  fi
}

# The kernel shows a bool as Y or N, and some parameters not at all.
has_parameter() {
  local file value=${2#*=} shown number='^(0|[1-9][0-9]{0,17}|0x[0-9a-fA-F]{1,15})$'
  file=$sysfs/module/$(plain "$1")/parameters/${2%%=*}
  [ -e "$file" ] || return 0
  shown=$(cat "$file")
  case $shown=$value in
  "$value=$value" | Y=[1yY]* | N=[0nN]*) return 0 ;;
  esac
  [[ $shown =~ $number && $value =~ $number ]] && [ $((shown)) = $((value)) ]
}

verify() {
  local module entry
  test -n "$image"
  check $? "an image is named for kernel $kernel: ${image:-none}"
  is_kept
  check $? "its modules are in $kept, unchanged"
  has_line "$run/loaded" "$image"
  check $? "they were loaded in this boot"
  for module in "${modules[@]}"; do
    is_from_image "$module"
    check $? "$module is loaded, and is the one of the image"
  done
  for module in "${replaces[@]}"; do
    if has_line <(printf '%s\n' "${modules[@]}") "$module"; then continue; fi
    # Another driver may have put its own in its place.
    ! is_loaded "$module" || grep -q O "$sysfs/module/$(plain "$module")/taint" 2>/dev/null
    check $? "$module of the OS image is not loaded"
  done
  for entry in "${parameters[@]}"; do
    has_parameter "${entry%%$'\t'*}" "${entry#*$'\t'}"
    check $? "${entry%%$'\t'*} has ${entry#*$'\t'}"
  done
  if [ -n "$firmware" ]; then
    (cd "$kept/firmware" && find . -type f -print0 | xargs -0 -r -I{} cmp -s {} "$firmware_directory/{}") 2>/dev/null
    check $? "its firmware is in $firmware_directory"
    [ "$(cat "$sysfs/module/firmware_class/parameters/path" 2>/dev/null)" = "$firmware_directory" ]
    check $? "the kernel looks for firmware there"
  fi
  [ "$failures" = 0 ]
}

uninstall() {
  local file inner
  systemctl stop "$name-pull.timer" 2>/dev/null
  put_back || complain "$driver: not everything could be unloaded; a reboot does that"
  # Drivers that load at the same time may write the same files.
  exec 7>"$lock.load" && flock -w 60 7
  while IFS= read -r -d '' file; do
    if others_have "$file"; then continue; fi
    rm -f "$file"
    inner=${file#"$firmware_directory/"}
    if [ "$inner" != "$file" ]; then
      (cd "$firmware_directory" && rmdir -p --ignore-fail-on-non-empty "$(dirname "$inner")") 2>/dev/null
    fi
  done < <(cat "$written" 2>/dev/null)
  rm -rf "${store_root:?}/$name" "${run:?}" "$lock.$name"
  rmdir --ignore-fail-on-non-empty "$firmware_directory" "$store_root" 2>/dev/null
  say "$driver: removed"
}

[ $# = 2 ] || usage
kernel=$(uname -r)
boot=$(cat /proc/sys/kernel/random/boot_id)
read_config "$2"
readonly kept=$store_root/$name/$kernel written=$store_root/$name/firmware run=$run_root/$name lock=$run_root/lock
mkdir -p "$run_root"
case $1 in
pull | load | unload | status | verify | uninstall) "$1" ;;
*) usage ;;
esac
