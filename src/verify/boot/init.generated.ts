// Made from guest/ by "npm test -- -u". Do not edit.

/** `guest/init.sh` */
export const INIT_SCRIPT = `#!/bin/sh
# First process of the guest that a boot proof starts. Runs the steps of /kmodlayer/steps, one on each line:
#
#   modprobe NAME           loads a module as a node does
#   insmod NAME FILE        loads a file and leaves it loaded
#   try NAME FILE           loads a file and, when that worked, takes it out again
#
# All that it has to say goes through the kernel's log, so that the kernel's own messages stand between ours in their
# order. Only what every shell has built in is used, apart from cat, mount and kmod: the image may have little else.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

# find_program NAME: its path. By the name alone, busybox's shell would run a program of its own in place of kmod's.
find_program() {
  for directory in /usr/sbin /usr/bin /sbin /bin; do
    if [ -x "$directory/$1" ]; then
      echo "$directory/$1"
      return
    fi
  done
  echo "$1"
}

do_mount() {
  if command -v mount >/dev/null; then mount -t "$1" "$1" "$2"; else busybox mount -t "$1" "$1" "$2"; fi
}

say() {
  printf '<6>kmodlayer: %s\\n' "$*" >/dev/kmsg
}

# say_lines TAG TEXT
say_lines() {
  tag=$1
  old_ifs=$IFS
  IFS='
'
  set -f
  for line in $2; do say "$tag $line"; done
  set +f
  IFS=$old_ifs
}

# say_file TAG FILE: its first line, when it can be read.
say_file() {
  if [ -r "$2" ] && read -r line <"$2"; then say "$1 $line"; fi
}

# run_step NUMBER VERB NAME FILE
run_step() {
  say "begin $1"
  case $2 in
    modprobe) output=$("$modprobe" "$3" 2>&1 </dev/null) ;;
    *) output=$("$insmod" "$4" 2>&1 </dev/null) ;;
  esac
  code=$?
  say_lines "output $1" "$output"
  state=absent
  if [ -d "/sys/module/$3" ]; then state=built-in; fi
  if [ -r "/sys/module/$3/initstate" ]; then read -r state <"/sys/module/$3/initstate"; fi
  say "end $1 $code $state"
  if [ "$2" = try ] && [ "$code" = 0 ]; then "$rmmod" "$3" </dev/null; fi
}

modprobe=$(find_program modprobe)
insmod=$(find_program insmod)
rmmod=$(find_program rmmod)
lsmod=$(find_program lsmod)

do_mount proc /proc
do_mount sysfs /sys
do_mount securityfs /sys/kernel/security 2>/dev/null

# From here on the console shows all that the kernel says, its account of each call of an init function included.
echo 8 >/proc/sys/kernel/printk

say start
say_file release /proc/sys/kernel/osrelease
say_file lockdown /sys/kernel/security/lockdown
say_file enforced /sys/module/module/parameters/sig_enforce

number=0
while read -r verb name file; do
  number=$((number + 1))
  run_step "$number" "$verb" "$name" "$file"
done </kmodlayer/steps

say_lines lsmod "$("$lsmod")"
# Not with read: a file of sysctl gives its number at once or not at all, and some shells read byte by byte.
say tainted "$(cat /proc/sys/kernel/tainted)"
say 'done'

echo o >/proc/sysrq-trigger
# Powering off takes a moment. Where it does not work, this process ends, which ends the machine as well.
read -r _
`;
