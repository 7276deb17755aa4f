#!/usr/bin/env bash
# Says whether a node is as a MachineConfig of Day 1 wants it. It changes nothing:
#
#   oc debug node/NODE -- chroot /host bash -s <verify.sh
#
# Ends with 0 when all is as it should be, with 1 when something is not.
set -uo pipefail

# Lines of words that tabs part; nothing in them is ever read as shell.
facts() {
  cat <<'FACTS'
FACTS
}

failures=0
# check CODE WHAT
check() {
  if [ "$1" = 0 ]; then printf 'ok    %s\n' "$2"; else
    printf 'FAIL  %s\n' "$2"
    failures=$((failures + 1))
  fi
}

check_unit() {
  local state active
  state=$(systemctl is-enabled "$1" 2>/dev/null)
  [ "$state" = "$2" ]
  check $? "$1 is $2${state:+ (it is $state)}"
  [ "$2" = enabled ] || return 0
  active=$(systemctl is-active "$1")
  [ "$active" != failed ]
  check $? "$1 did not fail (it is $active)"
}

# The kernel shows a bool as Y or N, and some parameters not at all.
check_parameter() {
  local file=/sys/module/$1/parameters/${2%%=*} value=${2#*=} shown='' result=1
  local number='^(0|[1-9][0-9]{0,17}|0x[0-9a-fA-F]{1,15})$'
  if [ ! -e "$file" ]; then
    printf 'note  %s: the kernel does not show parameter %s\n' "$1" "${2%%=*}"
    return
  fi
  shown=$(cat "$file")
  case $shown=$value in
  "$value=$value" | Y=[1yY]* | N=[0nN]*) result=0 ;;
  *) if [[ $shown =~ $number && $value =~ $number ]] && [ $((shown)) = $((value)) ]; then result=0; fi ;;
  esac
  check "$result" "$1 has $2 (it has ${shown})"
}

while IFS=$'\t' read -r key first second; do
  case $key in
  file)
    [ "$(sha256sum 2>/dev/null <"$first" | cut -d' ' -f1)" = "$second" ]
    check $? "$first is as it was rendered"
    ;;
  mode)
    [ "$(stat -c %a "$first" 2>/dev/null)" = "$second" ]
    check $? "$first has mode $second"
    ;;
  unit) check_unit "$first" "$second" ;;
  argument)
    grep -qwF -e "$first" /proc/cmdline
    check $? "the kernel was started with $first"
    ;;
  module)
    [ -e "/sys/module/$first/initstate" ]
    check $? "$first is loaded"
    # The kernel marks modules that were not built with it.
    grep -q O "/sys/module/$first/taint" 2>/dev/null
    check $? "$first is out of tree"
    ;;
  parameter) check_parameter "$first" "$second" ;;
  replaced)
    [ ! -e "/sys/module/$first/initstate" ]
    check $? "$first of the OS image is not loaded"
    ;;
  driver)
    printf '\n%s\n' "$second"
    bash "$first" status "$second" </dev/null
    bash "$first" verify "$second" </dev/null
    check $? "all of $second"
    ;;
  note) printf 'note  %s\n' "$first" ;;
  esac
done < <(facts)

printf '\n'
if [ "$failures" = 0 ]; then printf 'all is as it should be\n'; else printf '%s checks failed\n' "$failures"; fi
[ "$failures" = 0 ]
