#!/usr/bin/env bash
# Waits for the end of the boot, runs what the test asks, and leaves all that was seen on the second disk: 4 MiB for each
# boot of a run.
set -u
# A unit reboots: there will be another boot.
[ "$(systemctl is-system-running --wait)" != stopping ] || exit 0
run=$(sed -n 's/.*node.run=\([^ ]*\).*/\1/p' /proc/cmdline)
# Boots of this run that came to a report before.
counter=/var/lib/node-vm/$run
mkdir -p "${counter%/*}"
slot=$(cat "$counter" 2>/dev/null || echo 0)
echo $((slot + 1)) >"$counter"

out=$(mktemp -d)
bash /etc/node-vm/script.sh >"$out/script" 2>&1
status=$?
systemctl show '*.service' '*.target' --property=Id,ActiveState,SubState,Result,ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,ExecMainStatus >"$out/units"
lsmod >"$out/lsmod"
cat /proc/cmdline >"$out/cmdline"
journalctl -b -o short-monotonic --no-hostname >"$out/journal" 2>/dev/null
journalctl -b -1 -o short-monotonic --no-hostname >"$out/journal-before" 2>/dev/null
sync
tar -C "$out" -cf - . | dd of=/dev/vdb bs=1M seek=$((slot * 4)) conv=notrunc status=none
sync
if [ "$status" = 10 ]; then systemctl reboot; else systemctl poweroff; fi
