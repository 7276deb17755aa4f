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

/** `dockerfiles/build-dkms.sh` */
export const BUILD_DKMS = `#!/bin/bash
# Builds the source in the current directory as its dkms.conf says, without dkms: the file is a script of bash, so bash
# reads it, here where it can do no harm. The modules are left below lib/modules/<kernel> in the source.
# A failure is one line that starts with "kmodlayer-dkms:", its fields parted by "|".
set -u

fail() {
  echo "kmodlayer-dkms:$1|$2" >&2
  exit 66
}

# first_is_older A B: as versions, A comes before B.
first_is_older() {
  [ "$1" != "$2" ] && [ "$(printf '%s\\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

root=$PWD
[ -f "$root/dkms.conf" ] || fail no-config "\${root#/kmodlayer/source}"
command -v make >/dev/null || fail no-tool make

# What dkms sets before it reads the file. Names of what the file sets, for what reads it below.
kernelver=$KERNEL_RELEASE
arch=$TARGET_ARCH
dkms_tree=/var/lib/dkms
source_tree=/usr/src
kernel_source_dir=/lib/modules/$kernelver/build
export kernelver arch dkms_tree source_tree kernel_source_dir
PACKAGE_NAME='' PACKAGE_VERSION='' CLEAN='' PRE_BUILD='' POST_BUILD='' OBSOLETE_BY=''
BUILD_EXCLUSIVE_KERNEL='' BUILD_EXCLUSIVE_KERNEL_MIN='' BUILD_EXCLUSIVE_KERNEL_MAX='' BUILD_EXCLUSIVE_ARCH=''
BUILD_EXCLUSIVE_CONFIG=''
MAKE=() MAKE_MATCH=() PATCH=() PATCH_MATCH=()
BUILT_MODULE_NAME=() BUILT_MODULE_LOCATION=() DEST_MODULE_NAME=() DEST_MODULE_LOCATION=()

read_config() {
  set +u
  # shellcheck source=/dev/null
  . "$1/dkms.conf"
  set -u
}

# Once to learn its name, by which dkms puts the source in its place; then for good, in that place.
name_and_version=$(cd "$root" && read_config "$root" >/dev/null 2>&1 && echo "$PACKAGE_NAME|$PACKAGE_VERSION")
module=\${name_and_version%%|*}
module_version=\${name_and_version#*|}
case $module/$module_version in
  */*/* | /* | */ | *..*) fail no-name "PACKAGE_NAME=$module PACKAGE_VERSION=$module_version" ;;
esac
tree=$dkms_tree/$module/$module_version
mkdir -p "$tree" "$source_tree"
ln -sfn "$root" "$source_tree/$module-$module_version"
ln -sfn "$root" "$tree/source"
cp -a "$root" "$tree/build"
cd "$tree/build" || fail no-config "$tree/build"
read_config "$tree/source"
cd "$tree/build" || exit 66
echo "kmodlayer: dkms.conf of $module $module_version"

version=\${kernelver%%[!0-9.]*}
if [ -n "$BUILD_EXCLUSIVE_KERNEL" ] && ! [[ $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]]; then
  fail excluded "BUILD_EXCLUSIVE_KERNEL=\\"$BUILD_EXCLUSIVE_KERNEL\\""
fi
if [ -n "$BUILD_EXCLUSIVE_KERNEL_MIN" ] && first_is_older "$version" "$BUILD_EXCLUSIVE_KERNEL_MIN"; then
  fail excluded "BUILD_EXCLUSIVE_KERNEL_MIN=\\"$BUILD_EXCLUSIVE_KERNEL_MIN\\""
fi
if [ -n "$BUILD_EXCLUSIVE_KERNEL_MAX" ] && first_is_older "$BUILD_EXCLUSIVE_KERNEL_MAX" "$version"; then
  fail excluded "BUILD_EXCLUSIVE_KERNEL_MAX=\\"$BUILD_EXCLUSIVE_KERNEL_MAX\\""
fi
if [ -n "$OBSOLETE_BY" ] && ! first_is_older "$kernelver" "$OBSOLETE_BY"; then
  fail excluded "OBSOLETE_BY=\\"$OBSOLETE_BY\\""
fi
if [ -n "$BUILD_EXCLUSIVE_ARCH" ] && ! [[ $arch =~ $BUILD_EXCLUSIVE_ARCH ]]; then
  fail excluded "BUILD_EXCLUSIVE_ARCH=\\"$BUILD_EXCLUSIVE_ARCH\\""
fi
config=$kernel_source_dir/.config
[ -r "$config" ] || config=$kernel_source_dir/include/config/auto.conf
for option in $BUILD_EXCLUSIVE_CONFIG; do
  wanted=0
  case $option in '!'*) wanted=1 ;; esac
  grep -q "^\${option#!}=[ym]" "$config"
  [ $? = $wanted ] || fail excluded "BUILD_EXCLUSIVE_CONFIG=\\"$BUILD_EXCLUSIVE_CONFIG\\""
done

for index in \${PATCH[@]+"\${!PATCH[@]}"}; do
  match=\${PATCH_MATCH[index]:-}
  if [ -n "$match" ] && ! [[ $kernelver =~ $match ]]; then continue; fi
  command -v patch >/dev/null || fail no-tool patch
  echo "kmodlayer: patch \${PATCH[index]}"
  patch -p1 --batch <"patches/\${PATCH[index]}" || fail patch "\${PATCH[index]}"
done

# run_script WHAT COMMAND: a script of the source, with its arguments.
run_script() {
  [ -n "$2" ] || return 0
  echo "kmodlayer: $1: $2"
  local words
  read -r -a words <<<"$2"
  if [ ! -x "\${words[0]}" ]; then
    echo "kmodlayer: \${words[0]} cannot be run, which dkms passes over, too" >&2
    return 0
  fi
  (exec "./\${words[0]}" "\${words[@]:1}") || fail script "$1=\\"$2\\""
}
run_script PRE_BUILD "$PRE_BUILD"

command=\${MAKE[0]:-make -C $kernel_source_dir M=$tree/build}
for index in \${MAKE[@]+"\${!MAKE[@]}"}; do
  match=\${MAKE_MATCH[index]:-}
  if [ -n "$match" ] && [[ $kernelver =~ $match ]]; then command=\${MAKE[index]}; fi
done
# As dkms does it, which drivers count on; one that does not want it writes 'make' in quotes.
command=\${command/#make/make -j\${KMODLAYER_JOBS:-1} KERNELRELEASE=$kernelver}
clean=\${CLEAN:-make -C $kernel_source_dir M=$tree/build clean}
(eval "$clean") >/dev/null 2>&1
echo "kmodlayer: $command"
(eval "$command") || exit $?

[ \${#BUILT_MODULE_NAME[@]} -gt 0 ] || BUILT_MODULE_NAME=("$module")
for index in "\${!BUILT_MODULE_NAME[@]}"; do
  name=\${BUILT_MODULE_NAME[index]}
  location=\${BUILT_MODULE_LOCATION[index]:-}
  built=
  for file in "$tree/build/\${location:+\${location%/}/}$name".ko{,.gz,.xz,.zst}; do
    [ ! -f "$file" ] || built=$file
  done
  [ -n "$built" ] || fail not-built "\${location:+\${location%/}/}$name.ko"
  ending=\${built##*/}
  to=$root/lib/modules/$kernelver/\${DEST_MODULE_LOCATION[index]:-}
  case /$to/ in */../*) fail no-name "DEST_MODULE_LOCATION[$index]=\\"\${DEST_MODULE_LOCATION[index]}\\"" ;; esac
  mkdir -p "$to"
  cp "$built" "$to/\${DEST_MODULE_NAME[index]:-$name}\${ending#"$name"}"
done
run_script POST_BUILD "$POST_BUILD"

number=0
find "$tree/build" -name Module.symvers -type f | LC_ALL=C sort | while IFS= read -r file; do
  number=$((number + 1))
  mkdir -p "$root/.kmodlayer/$number"
  cp "$file" "$root/.kmodlayer/$number/Module.symvers"
done
`;

/** `dockerfiles/prepare-srpm.sh` */
export const PREPARE_SRPM = `#!/bin/sh
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
  [ -z "$spec" ] || fail specs "\${spec##*/} \${file##*/}"
  spec=$file
done
[ -n "$spec" ] || fail specs ''

top=/kmodlayer/rpm
mkdir -p "$top/BUILD"
rpmbuild -bp --nodeps --target "$TARGET_ARCH" \\
  --define "_topdir $top" --define "_sourcedir $root" --define "_specdir $root" --define "_builddir $top/BUILD" \\
  --define "kernel_version $KERNEL_RELEASE" --define "kversion $KERNEL_RELEASE" --define "kver $KERNEL_RELEASE" \\
  "$spec" || fail prep "\${spec##*/}"

# rpm from 4.20 on has a directory of its own around what %prep makes; besides the tree it may hold SPECPARTS.
from=$top/BUILD
for attempt in 1 2; do
  only=
  for path in "$from"/*; do
    case \${path##*/} in *-SPECPARTS | SPECPARTS | BUILDROOT) continue ;; esac
    [ -d "$path" ] || { only=; break; }
    [ -z "$only" ] || { only=; break; }
    only=$path
  done
  [ -n "$only" ] || break
  from=$only
  case \${from##*/} in *-build) [ "$attempt" = 1 ] || break ;; *) break ;; esac
done
find "$root" -mindepth 1 -delete
cp -a "$from/." "$root/"
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
