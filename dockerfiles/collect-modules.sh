#!/bin/sh
# collect-modules.sh ROOT [PATH]: copies the modules that modules.txt names from below ROOT/PATH to /kmodlayer/out.
#
#   modules/<path below ROOT>   each file of a wanted module, decompressed, without debug sections
#   symvers/<path below ROOT>   each Module.symvers of a driver
#   found.txt                   all modules that were seen, for the message about one that is missing
set -eu

root=$1
path=${2:-}
path=${path#/}
from=$root${path:+/$path}
out=/kmodlayer/out
mkdir -p "$out/modules" "$out/symvers"
: >"$out/found.txt"
if [ ! -d "$from" ]; then
  echo "kmodlayer: there is no directory $path to collect modules from" >&2
  exit 0
fi

# Modules and headers of the kernel itself are not the driver's.
find "$from" \
  \( -path "$root/lib/modules/*/kernel" -o -path "$root/usr/lib/modules/*/kernel" -o -path "$root/usr/src/kernels" \
  -o -path "$root/usr/src/linux-*" -o -path "$root/sysroot" -o -path "$root/ostree" -o -path "$root/proc" \
  -o -path "$root/sys" -o -path "$root/dev" \) -prune \
  -o -type f \( -name '*.ko' -o -name '*.ko.xz' -o -name '*.ko.gz' -o -name '*.ko.zst' -o -name Module.symvers \) \
  -print | LC_ALL=C sort >/tmp/kmodlayer-files

is_signed() {
  [ "$(tail -c 28 "$1" | tr -d '\000')" = '~Module signature appended~' ]
}

while IFS= read -r file; do
  path=${file#"$root"}
  path=${path#/}
  if [ "${file##*/}" = Module.symvers ]; then
    mkdir -p "$out/symvers/$(dirname "$path")"
    cp "$file" "$out/symvers/$path"
    continue
  fi
  echo "$path" >>"$out/found.txt"
  name=${file##*/}
  name=$(echo "${name%%.ko*}" | tr - _)
  grep -Fqx -- "$name" /kmodlayer/bin/modules.txt || continue

  target=$out/modules/${path%.ko*}.ko
  mkdir -p "$(dirname "$target")"
  case $file in
    *.xz) xz -dc "$file" >"$target" ;;
    *.gz) gzip -dc "$file" >"$target" ;;
    *.zst) zstd -dcq "$file" >"$target" ;;
    *) cp "$file" "$target" ;;
  esac
  # strip drops a signature without a word, so a module that its vendor signed stays as it is.
  is_signed "$target" || strip --strip-debug "$target"
done </tmp/kmodlayer-files
