#!/bin/sh
# Prepares the source package in the current directory as its spec says in %prep: sources are unpacked, patches applied.
# The current directory then holds the prepared tree in place of the package. Nothing else of the spec is run.
# A failure is one line that starts with "kmodlayer-srpm:", its fields parted by "|".
set -eu

fail() {
  echo "kmodlayer-srpm:$1|$2" >&2
  exit 67
}

root=$PWD
command -v rpmbuild >/dev/null || fail no-tool rpmbuild
spec=
for file in "$root"/*.spec; do
  [ -e "$file" ] || continue
  [ -z "$spec" ] || fail specs "${spec##*/} ${file##*/}"
  spec=$file
done
[ -n "$spec" ] || fail specs ''

top=/kmodlayer/rpm
mkdir -p "$top/BUILD"
rpmbuild -bp --nodeps --target "$TARGET_ARCH" \
  --define "_topdir $top" --define "_sourcedir $root" --define "_specdir $root" --define "_builddir $top/BUILD" \
  --define "kernel_version $KERNEL_RELEASE" --define "kversion $KERNEL_RELEASE" --define "kver $KERNEL_RELEASE" \
  "$spec" || fail prep "${spec##*/}"

# rpm from 4.20 on has a directory of its own around what %prep makes; besides the tree it may hold SPECPARTS.
from=$top/BUILD
for attempt in 1 2; do
  only=
  for path in "$from"/*; do
    case ${path##*/} in *-SPECPARTS | SPECPARTS | BUILDROOT) continue ;; esac
    [ -d "$path" ] || { only=; break; }
    [ -z "$only" ] || { only=; break; }
    only=$path
  done
  [ -n "$only" ] || break
  from=$only
  case ${from##*/} in *-build) [ "$attempt" = 1 ] || break ;; *) break ;; esac
done
find "$root" -mindepth 1 -delete
cp -a "$from/." "$root/"
