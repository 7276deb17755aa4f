#!/bin/bash
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
  [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

root=$PWD
[ -f "$root/dkms.conf" ] || fail no-config "${root#/kmodlayer/source}"
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
module=${name_and_version%%|*}
module_version=${name_and_version#*|}
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

version=${kernelver%%[!0-9.]*}
if [ -n "$BUILD_EXCLUSIVE_KERNEL" ] && ! [[ $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]]; then
  fail excluded "BUILD_EXCLUSIVE_KERNEL=\"$BUILD_EXCLUSIVE_KERNEL\""
fi
if [ -n "$BUILD_EXCLUSIVE_KERNEL_MIN" ] && first_is_older "$version" "$BUILD_EXCLUSIVE_KERNEL_MIN"; then
  fail excluded "BUILD_EXCLUSIVE_KERNEL_MIN=\"$BUILD_EXCLUSIVE_KERNEL_MIN\""
fi
if [ -n "$BUILD_EXCLUSIVE_KERNEL_MAX" ] && first_is_older "$BUILD_EXCLUSIVE_KERNEL_MAX" "$version"; then
  fail excluded "BUILD_EXCLUSIVE_KERNEL_MAX=\"$BUILD_EXCLUSIVE_KERNEL_MAX\""
fi
if [ -n "$OBSOLETE_BY" ] && ! first_is_older "$kernelver" "$OBSOLETE_BY"; then
  fail excluded "OBSOLETE_BY=\"$OBSOLETE_BY\""
fi
if [ -n "$BUILD_EXCLUSIVE_ARCH" ] && ! [[ $arch =~ $BUILD_EXCLUSIVE_ARCH ]]; then
  fail excluded "BUILD_EXCLUSIVE_ARCH=\"$BUILD_EXCLUSIVE_ARCH\""
fi
config=$kernel_source_dir/.config
[ -r "$config" ] || config=$kernel_source_dir/include/config/auto.conf
for option in $BUILD_EXCLUSIVE_CONFIG; do
  wanted=0
  case $option in '!'*) wanted=1 ;; esac
  grep -q "^${option#!}=[ym]" "$config"
  [ $? = $wanted ] || fail excluded "BUILD_EXCLUSIVE_CONFIG=\"$BUILD_EXCLUSIVE_CONFIG\""
done

for index in ${PATCH[@]+"${!PATCH[@]}"}; do
  match=${PATCH_MATCH[index]:-}
  if [ -n "$match" ] && ! [[ $kernelver =~ $match ]]; then continue; fi
  command -v patch >/dev/null || fail no-tool patch
  echo "kmodlayer: patch ${PATCH[index]}"
  patch -p1 --batch <"patches/${PATCH[index]}" || fail patch "${PATCH[index]}"
done

# run_script WHAT COMMAND: a script of the source, with its arguments.
run_script() {
  [ -n "$2" ] || return 0
  echo "kmodlayer: $1: $2"
  local words
  read -r -a words <<<"$2"
  if [ ! -x "${words[0]}" ]; then
    echo "kmodlayer: ${words[0]} cannot be run, which dkms passes over, too" >&2
    return 0
  fi
  (exec "./${words[0]}" "${words[@]:1}") || fail script "$1=\"$2\""
}
run_script PRE_BUILD "$PRE_BUILD"

command=${MAKE[0]:-make -C $kernel_source_dir M=$tree/build}
for index in ${MAKE[@]+"${!MAKE[@]}"}; do
  match=${MAKE_MATCH[index]:-}
  if [ -n "$match" ] && [[ $kernelver =~ $match ]]; then command=${MAKE[index]}; fi
done
# As dkms does it, which drivers count on; one that does not want it writes 'make' in quotes.
command=${command/#make/make -j${KMODLAYER_JOBS:-1} KERNELRELEASE=$kernelver}
clean=${CLEAN:-make -C $kernel_source_dir M=$tree/build clean}
(eval "$clean") >/dev/null 2>&1
echo "kmodlayer: $command"
(eval "$command") || exit $?

[ ${#BUILT_MODULE_NAME[@]} -gt 0 ] || BUILT_MODULE_NAME=("$module")
for index in "${!BUILT_MODULE_NAME[@]}"; do
  name=${BUILT_MODULE_NAME[index]}
  location=${BUILT_MODULE_LOCATION[index]:-}
  built=
  for file in "$tree/build/${location:+${location%/}/}$name".ko{,.gz,.xz,.zst}; do
    [ ! -f "$file" ] || built=$file
  done
  [ -n "$built" ] || fail not-built "${location:+${location%/}/}$name.ko"
  ending=${built##*/}
  to=$root/lib/modules/$kernelver/${DEST_MODULE_LOCATION[index]:-}
  case /$to/ in */../*) fail no-name "DEST_MODULE_LOCATION[$index]=\"${DEST_MODULE_LOCATION[index]}\"" ;; esac
  mkdir -p "$to"
  cp "$built" "$to/${DEST_MODULE_NAME[index]:-$name}${ending#"$name"}"
done
run_script POST_BUILD "$POST_BUILD"

number=0
find "$tree/build" -name Module.symvers -type f | LC_ALL=C sort | while IFS= read -r file; do
  number=$((number + 1))
  mkdir -p "$root/.kmodlayer/$number"
  cp "$file" "$root/.kmodlayer/$number/Module.symvers"
done
