// Made from dockerfiles/ by "npm test -- -u". Do not edit.

/** `dockerfiles/driver-toolkit.Containerfile` */
export const DRIVER_TOOLKIT_CONTAINERFILE = `# Compiles a driver in the driver-toolkit of its target and leaves nothing but modules.
#
# The build context is the driver's source. The additional context "kmodlayer" holds the scripts of this directory
# and what belongs to this build: arguments.sh, command.sh, modules.txt, symvers/.
ARG DTK_IMAGE

# Says whether the driver-toolkit can compile for this kernel; built alone before a Containerfile of the user's own.
FROM \${DTK_IMAGE} AS check
ARG KERNEL_RELEASE
# hadolint ignore=DL3022
COPY --from=kmodlayer . /kmodlayer/bin/
RUN sh /kmodlayer/bin/check-toolchain.sh

FROM \${DTK_IMAGE} AS build
ARG KERNEL_RELEASE
ARG KERNEL_VERSION=\${KERNEL_RELEASE}
ARG KERNEL_FULL_VERSION=\${KERNEL_RELEASE}
ARG RHEL_VERSION=
# Not ARCH: Kbuild takes that from the environment, and spells it differently.
ARG TARGET_ARCH=
ARG MOD_NAME=
ARG KMODLAYER_JOBS=1
ARG KMODLAYER_WORKDIR=
ARG KMODLAYER_OUTPUT=
# hadolint ignore=DL3022
COPY --from=kmodlayer . /kmodlayer/bin/
RUN sh /kmodlayer/bin/check-toolchain.sh
COPY . /kmodlayer/source/
RUN sh /kmodlayer/bin/build-driver.sh

FROM scratch
COPY --from=build /kmodlayer/out/ /
`;

/** `dockerfiles/collect-modules.Containerfile` */
export const COLLECT_CONTAINERFILE = `# Takes the modules out of an image that the user's own Containerfile built, with the tools of the driver-toolkit:
# that image may have neither a shell nor strip.
ARG DTK_IMAGE
ARG STAGE_IMAGE

FROM \${STAGE_IMAGE} AS stage

FROM \${DTK_IMAGE} AS collect
ARG KMODLAYER_OUTPUT=
# hadolint ignore=DL3022
COPY --from=kmodlayer . /kmodlayer/bin/
RUN --mount=type=bind,from=stage,source=/,target=/kmodlayer/stage \\
    sh /kmodlayer/bin/collect-modules.sh /kmodlayer/stage "\${KMODLAYER_OUTPUT}"

FROM scratch
COPY --from=collect /kmodlayer/out/ /
`;

/** `dockerfiles/check-toolchain.sh` */
export const CHECK_TOOLCHAIN = `#!/bin/sh
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
    kernel=\${makefile#/usr/src/kernels/}
    kernel=\${kernel#/lib/modules/}
    found="$found \${kernel%%/*}"
  done
  fail headers-missing "$KERNEL_RELEASE" "\${found# }"
fi

config=$headers/.config
[ -r "$config" ] || config=$headers/include/config/auto.conf
if [ ! -r "$config" ]; then
  echo "kmodlayer: the kernel headers do not say which compiler built the kernel; going on" >&2
  exit 0
fi
setting() {
  sed -n "s/^$1=\\"\\{0,1\\}\\([^\\"]*\\)\\"\\{0,1\\}\\$/\\1/p" "$config" | head -n 1
}

kernel_compiler=$(setting CONFIG_CC_VERSION_TEXT)
if [ "$(setting CONFIG_CC_IS_CLANG)" = y ]; then
  version=$(setting CONFIG_CLANG_VERSION)
  default=clang
else
  version=$(setting CONFIG_GCC_VERSION)
  default=gcc
fi
case \${version:-0} in
  0 | *[!0-9]*)
    echo "kmodlayer: the kernel headers do not say which compiler built the kernel; going on" >&2
    exit 0
    ;;
esac
major=$((version / 10000))

# Kernels of some distributions name their compiler with its version, and that is the one Kbuild then runs.
compiler=\${CC:-$default}
if [ -z "\${CC:-}" ] && ! command -v "$compiler" >/dev/null && command -v "$default-$major" >/dev/null; then
  compiler=$default-$major
fi
text=$($compiler --version 2>/dev/null | head -n 1) || true
[ -n "$text" ] || fail compiler-missing "$kernel_compiler" "$compiler"
have=$($compiler -dumpversion)
if [ "\${have%%.*}" != "$major" ]; then
  fail compiler-mismatch "$kernel_compiler" "$text"
fi
echo "kmodlayer: $compiler (\${have%%.*}) is the compiler that built $KERNEL_RELEASE"
`;

/** `dockerfiles/build-driver.sh` */
export const BUILD_DRIVER = `#!/bin/sh
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
[ -z "$symvers" ] || export KBUILD_EXTRA_SYMBOLS="\${symvers# }"

# The processors of this machine, shared with the compiles that run beside this one; arguments of the spec win.
[ "\${KMODLAYER_JOBS:-1}" -le 1 ] || export MAKEFLAGS="-j$KMODLAYER_JOBS"

# shellcheck source=/dev/null
. /kmodlayer/bin/arguments.sh

cd "/kmodlayer/source/\${KMODLAYER_WORKDIR:-}"
sh -eu /kmodlayer/bin/command.sh

sh /kmodlayer/bin/collect-modules.sh /kmodlayer/source "\${KMODLAYER_OUTPUT:-}"
`;

/** `dockerfiles/collect-modules.sh` */
export const COLLECT_MODULES = `#!/bin/sh
# collect-modules.sh ROOT [PATH]: copies the modules that modules.txt names from below ROOT/PATH to /kmodlayer/out.
#
#   modules/<path below ROOT>   each file of a wanted module, decompressed, without debug sections
#   symvers/<path below ROOT>   each Module.symvers of a driver
#   found.txt                   all modules that were seen, for the message about one that is missing
set -eu

root=$1
path=\${2:-}
path=\${path#/}
from=$root\${path:+/$path}
out=/kmodlayer/out
mkdir -p "$out/modules" "$out/symvers"
: >"$out/found.txt"
if [ ! -d "$from" ]; then
  echo "kmodlayer: there is no directory $path to collect modules from" >&2
  exit 0
fi

# Modules and headers of the kernel itself are not the driver's.
find "$from" \\
  \\( -path "$root/lib/modules/*/kernel" -o -path "$root/usr/lib/modules/*/kernel" -o -path "$root/usr/src/kernels" \\
  -o -path "$root/usr/src/linux-*" -o -path "$root/sysroot" -o -path "$root/ostree" -o -path "$root/proc" \\
  -o -path "$root/sys" -o -path "$root/dev" \\) -prune \\
  -o -type f \\( -name '*.ko' -o -name '*.ko.xz' -o -name '*.ko.gz' -o -name '*.ko.zst' -o -name Module.symvers \\) \\
  -print | LC_ALL=C sort >/tmp/kmodlayer-files

is_signed() {
  [ "$(tail -c 28 "$1" | tr -d '\\000')" = '~Module signature appended~' ]
}

while IFS= read -r file; do
  path=\${file#"$root"}
  path=\${path#/}
  if [ "\${file##*/}" = Module.symvers ]; then
    mkdir -p "$out/symvers/$(dirname "$path")"
    cp "$file" "$out/symvers/$path"
    continue
  fi
  echo "$path" >>"$out/found.txt"
  name=\${file##*/}
  name=$(echo "\${name%%.ko*}" | tr - _)
  grep -Fqx -- "$name" /kmodlayer/bin/modules.txt || continue

  target=$out/modules/\${path%.ko*}.ko
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
`;
