#!/usr/bin/env bash
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

deadline=$((SECONDS + ${DISPATCHER_TIMEOUT_SECONDS:-120}))
until is_done; do
  if [ "$SECONDS" -ge "$deadline" ]; then
    echo "$DISPATCHER has not run yet; going on without it"
    exit 0
  fi
  sleep 1
done
