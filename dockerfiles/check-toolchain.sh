#!/bin/sh
# Says before anything is compiled whether this driver-toolkit can compile for KERNEL_RELEASE.
# A failure is one line that starts with "kmodlayer-toolchain:", its fields parted by "|".
set -eu

fail() {
  echo "kmodlayer-toolchain:$1|$2|$3" >&2
  exit 65
}

# shellcheck source=/dev/null
[ ! -f /kmodlayer/bin/arguments.sh ] || . /kmodlayer/bin/arguments.sh

headers=/usr/src/kernels/$KERNEL_RELEASE
[ -e "$headers/Makefile" ] || headers=/lib/modules/$KERNEL_RELEASE/build
if [ ! -e "$headers/Makefile" ]; then
  found=
  for makefile in /usr/src/kernels/*/Makefile /lib/modules/*/build/Makefile; do
    [ -e "$makefile" ] || continue
    kernel=${makefile#/usr/src/kernels/}
    kernel=${kernel#/lib/modules/}
    found="$found ${kernel%%/*}"
  done
  fail headers-missing "$KERNEL_RELEASE" "${found# }"
fi

config=$headers/.config
[ -r "$config" ] || config=$headers/include/config/auto.conf
if [ ! -r "$config" ]; then
  echo "kmodlayer: the kernel headers do not say which compiler built the kernel; going on" >&2
  exit 0
fi
setting() {
  sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$config" | head -n 1
}

kernel_compiler=$(setting CONFIG_CC_VERSION_TEXT)
if [ "$(setting CONFIG_CC_IS_CLANG)" = y ]; then
  version=$(setting CONFIG_CLANG_VERSION)
  default=clang
else
  version=$(setting CONFIG_GCC_VERSION)
  default=gcc
fi
case ${version:-0} in
  0 | *[!0-9]*)
    echo "kmodlayer: the kernel headers do not say which compiler built the kernel; going on" >&2
    exit 0
    ;;
esac
major=$((version / 10000))

# Kernels of some distributions name their compiler with its version, and that is the one Kbuild then runs.
compiler=${CC:-$default}
if [ -z "${CC:-}" ] && ! command -v "$compiler" >/dev/null && command -v "$default-$major" >/dev/null; then
  compiler=$default-$major
fi
text=$($compiler --version 2>/dev/null | head -n 1) || true
[ -n "$text" ] || fail compiler-missing "$kernel_compiler" "$compiler"
have=$($compiler -dumpversion)
if [ "${have%%.*}" != "$major" ]; then
  fail compiler-mismatch "$kernel_compiler" "$text"
fi
echo "kmodlayer: $compiler (${have%%.*}) is the compiler that built $KERNEL_RELEASE"
