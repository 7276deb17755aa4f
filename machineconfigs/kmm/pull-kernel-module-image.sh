#!/usr/bin/env bash
# Pulls the kmod image of the running kernel and the worker image, and reboots the node when one of them is new: the
# module is replaced before the network comes up. Units that pull at the same time share one reboot.
set -euo pipefail
export LC_ALL=C

: "${KERNEL_MODULE_IMAGE:?}" "${WORKER_IMAGE:?}" "${MACHINE_CONFIG_NAME:?}" "${PULL_TIMEOUT_SECONDS:?}"
auth_file=${AUTH_FILE:-/var/lib/kubelet/config.json}
state=${DAY1_RUN_DIRECTORY:-/run/kmm-day1}
deadline=$((SECONDS + PULL_TIMEOUT_SECONDS))
has_pulled=no

# A repository gets the tag that is the kernel release, as KMM writes it; what has a tag or a digest stays as it is.
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

pull() {
  local image=$1 delay=${FIRST_DELAY_SECONDS:-5} left options=(--quiet)
  if [ -r "$auth_file" ]; then options+=(--authfile "$auth_file"); fi
  while :; do
    left=$((deadline - SECONDS))
    if [ "$left" -le 0 ]; then
      echo "Cannot pull $image: gave up after $PULL_TIMEOUT_SECONDS s" >&2
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
    has_pulled=${REBOOT:-yes}
  fi
done
