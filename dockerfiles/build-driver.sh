#!/bin/sh
# Runs the user's command in the source tree, then collects the modules that it left there.
set -eu

# The same source gives the same bytes, whenever and wherever it is compiled.
export SOURCE_DATE_EPOCH=1
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:01 UTC 1970'
export KBUILD_BUILD_USER=kmodlayer
export KBUILD_BUILD_HOST=kmodlayer
export LC_ALL=C
export TZ=UTC

# Source trees look for the headers in either place; a driver-toolkit has one of them for sure.
headers=/usr/src/kernels/$KERNEL_RELEASE
linked=/lib/modules/$KERNEL_RELEASE/build
if [ ! -e "$headers/Makefile" ]; then
  mkdir -p /usr/src/kernels
  ln -sfn "$(readlink -f "$linked")" "$headers"
elif [ ! -e "$linked/Makefile" ]; then
  mkdir -p "/lib/modules/$KERNEL_RELEASE"
  ln -sfn "$headers" "$linked"
fi

symvers=
for file in /kmodlayer/bin/symvers/*; do
  [ -e "$file" ] && symvers="$symvers $file"
done
[ -z "$symvers" ] || export KBUILD_EXTRA_SYMBOLS="${symvers# }"

# The processors of this machine, shared with the compiles that run beside this one; arguments of the spec win.
[ "${KMODLAYER_JOBS:-1}" -le 1 ] || export MAKEFLAGS="-j$KMODLAYER_JOBS"

# shellcheck source=/dev/null
. /kmodlayer/bin/arguments.sh

cd "/kmodlayer/source/${KMODLAYER_WORKDIR:-}"
sh -eu /kmodlayer/bin/command.sh

sh /kmodlayer/bin/collect-modules.sh /kmodlayer/source "${KMODLAYER_OUTPUT:-}"
