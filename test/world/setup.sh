#!/usr/bin/env bash
# Sets up the world that end-to-end tests run against: Debian's kernels, compilers and registry, put together as
# OpenShift releases. Needs root and apt-get. Takes minutes the first time, seconds when everything is there.
#
# Usage: bash test/world/setup.sh [--bench]
#   --bench           also make release 4.18.40, whose OS image is as large as a real one (1.3 GB)
#   KMODLAYER_WORLD   where the world is kept (default: .world in the checkout)
#   KMODLAYER_PORT    port of its registry (default: 5443)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
world=${KMODLAYER_WORLD:-$here/../../.world}
mkdir -p "$world"
world=$(cd "$world" && pwd)
port=${KMODLAYER_PORT:-5443}
export DEBIAN_FRONTEND=noninteractive

say() { printf '[world] %s\n' "$*" >&2; }
fail() {
  printf '[world] FAILED: %s\n' "$*" >&2
  exit 1
}

PACKAGES=(
  apache2-utils binutils buildah busybox-static ca-certificates chromium cpio crun docker-registry docker.io e2fsprogs
  efitools fonts-dejavu-core gcc-12 git gpg gpg-agent kmod libelf1 linux-kbuild-6.1 make mmdebstrap mokutil opensc openssl ostree
  ovmf podman poppler-utils qemu-system-x86 rpm runc sbsigntool shellcheck skopeo softhsm2 systemd uidmap umoci xz-utils
  zstd
)

# Drivers that are compiled outside of the kernel's tree: Debian's packages of them, without "-dkms".
DRIVERS=(
  acpi-call adv-17v35x apfs bbswitch ddcci digimend dm-writeboost evdi gost-crypto jool langford librem-ec-acpi
  lime-forensics nat-rtsp openrazer-driver openvpn-dco rapiddisk tp-smapi v4l2loopback vpoll xtables-addons xtrx
)

# What the driver-toolkit has; rpmbuild is in rpm.
TOOLCHAIN=gcc,gcc-12,make,kmod,xz-utils,libelf1,patch,cpio,file,dwarves,rpm

install_packages() {
  local missing=() name
  for name in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "packages are missing and this is not root: ${missing[*]}"
  say "installing ${missing[*]}"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$world/apt.log" 2>&1 </dev/null ||
    { tail -n 20 "$world/apt.log" >&2; fail "apt-get install (all of it is in $world/apt.log)"; }
  # The packages start a registry on port 5000, and a daemon; suites start their own.
  if command -v systemctl >/dev/null; then
    systemctl disable --now docker-registry docker.service docker.socket containerd >/dev/null 2>&1 || true
  fi
}

# Kernels of a series that have headers, too, oldest first.
find_kernels() {
  local release
  apt-cache pkgnames linux-image-6 | sed -n "s/^linux-image-\($1\)$/\1/p" | sort -V | while read -r release; do
    if apt-cache show --no-all-versions "linux-headers-$release" >/dev/null 2>&1; then echo "$release"; fi
  done
}

# download_and_unpack DIRECTORY PACKAGE...: what is there already is left alone.
download_and_unpack() {
  local directory=$1 scratch deb
  shift
  [ ! -d "$directory" ] || return 0
  scratch=$(mktemp -d "$world/download.XXXXXX")
  chmod 755 "$scratch"
  (cd "$scratch" && apt-get download -qq -o APT::Sandbox::User=root "$@" </dev/null) || fail "apt-get download $*"
  for deb in "$scratch"/*.deb; do dpkg-deb -x "$deb" "$scratch/root"; done
  mkdir -p "$(dirname "$directory")"
  mv "$scratch/root" "$directory"
  rm -rf "$scratch"
}

# fetch_kernel DIRECTORY RELEASE
fetch_kernel() {
  local directory=$1 release=$2 common kbuild
  say "kernel $release"
  common=$(find_dependency "$release" 'linux-headers-.*-common.*')
  kbuild=$(find_dependency "$release" 'linux-kbuild-.*')
  download_and_unpack "$world/$directory/$release" "linux-image-$release" "linux-headers-$release" "$common" "$kbuild"
}

# find_dependency RELEASE PATTERN: a package that the kernel's headers need.
find_dependency() {
  apt-cache depends "linux-headers-$1" | sed -n "s/.*Depends: \($2\)/\1/p" | head -n 1
}

# Packages of Debian that stand in for the OS's, each in a directory of its own with everything under usr/.
fetch_os_packages() {
  local name directory top
  for name in busybox-static dash kmod libkmod2 libc6 liblzma5 libzstd1 libssl3; do
    directory=$world/os/$name
    [ ! -d "$directory" ] || continue
    download_and_unpack "$directory.partial" "$name"
    for top in bin sbin lib lib64; do
      [ -d "$directory.partial/$top" ] || continue
      mkdir -p "$directory.partial/usr/$top"
      cp -a "$directory.partial/$top/." "$directory.partial/usr/$top/"
      rm -r "${directory:?}.partial/$top"
    done
    rm -rf "$directory.partial/usr/share/"{doc,man,locale,bash-completion,initramfs-tools} "$directory.partial/etc"
    mv "$directory.partial" "$directory"
  done
}

# A root with a compiler, from the machine's own package sources.
make_toolchain() {
  if [ -f "$world/toolchain.tar" ] && [ "$(cat "$world/toolchain.packages" 2>/dev/null)" = "$TOOLCHAIN" ]; then return 0; fi
  say "the driver-toolkit's root (mmdebstrap, about a minute)"
  local codename sources=() options=() line file
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
    if [ -f "$file" ] && grep -q "$codename" "$file"; then sources+=("$file"); fi
  done
  while read -r line; do options+=(--aptopt "$line"); done < <(
    apt-config dump | grep -iE '^Acquire::(https?::(Proxy|CAInfo|Verify)|Retries)' || true
  )
  mmdebstrap --quiet --variant=minbase --skip=cleanup/reproducible ${options[@]+"${options[@]}"} \
    --include="$TOOLCHAIN" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    "$codename" "$world/toolchain.partial.tar" "${sources[@]}" </dev/null >"$world/mmdebstrap.log" 2>&1 ||
    { tail -n 20 "$world/mmdebstrap.log" >&2; fail "mmdebstrap (all of it is in $world/mmdebstrap.log)"; }
  mv "$world/toolchain.partial.tar" "$world/toolchain.tar"
  echo "$TOOLCHAIN" >"$world/toolchain.packages"
}

# A certificate authority, a certificate for the loopback address, one account and the registry's configuration.
make_registry_files() {
  [ ! -f "$world/auth.json" ] || return 0
  local password
  mkdir -p "$world/certs" "$world/private"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -sha256 -subj '/CN=kmodlayer test world CA' \
    -keyout "$world/private/ca.key" -out "$world/certs/ca.crt" 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -sha256 -subj '/CN=127.0.0.1' \
    -keyout "$world/private/registry.key" -out "$world/private/registry.csr" 2>/dev/null
  openssl x509 -req -in "$world/private/registry.csr" -CA "$world/certs/ca.crt" -CAkey "$world/private/ca.key" \
    -CAcreateserial -days 3650 -sha256 -out "$world/private/registry.crt" \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n') 2>/dev/null
  password=$(openssl rand -hex 16)
  printf 'world:%s\n' "$password" >"$world/credentials"
  printf '%s' "$password" | htpasswd -niB world >"$world/private/htpasswd"
  cat >"$world/registry.yml" <<YAML
version: 0.1
log: { level: info }
storage:
  filesystem:
    rootdirectory: $world/registry
  delete: { enabled: true }
  maintenance: { uploadpurging: { enabled: false } }
http:
  addr: 127.0.0.1:$port
  secret: $(openssl rand -hex 16)
  tls: { certificate: $world/private/registry.crt, key: $world/private/registry.key }
auth:
  htpasswd: { realm: world, path: $world/private/htpasswd }
YAML
  chmod 600 "$world/credentials" "$world/registry.yml"
  printf '{"auths":{"127.0.0.1:%s":{"auth":"%s"}}}\n' "$port" "$(base64 -w0 < <(tr -d '\n' <"$world/credentials"))" \
    >"$world/auth.partial.json"
  chmod 600 "$world/auth.partial.json"
  mv "$world/auth.partial.json" "$world/auth.json"
}

main() {
  local stamp started=$SECONDS arguments=("$@") previous newest next name
  install_packages
  # What was built is good as long as the programs that built it, and the port, are the same.
  stamp=$(cd "$here" && { sha256sum ./*.ts ./*.sh; echo "$port"; } | sha256sum | cut -d' ' -f1)
  case " ${arguments[*]-} " in *" --bench "*) stamp+=-bench ;; esac
  if [ -f "$world/world.json" ] && grep -qxF -e "$stamp" -e "${stamp%-bench}-bench" "$world/stamp" 2>/dev/null; then
    say "ready: $world"
    return 0
  fi
  [ "$(id -u)" = 0 ] || fail 'this needs root'
  [ -n "$(find_kernels '6\.1\.0-[0-9]*-amd64' | tail -n 1)" ] || apt-get update -qq
  { read -r previous; read -r newest; } < <(find_kernels '6\.1\.0-[0-9]*-amd64' | tail -n 2) ||
    fail 'Debian 12 with its security archive is needed: there are no two kernels 6.1.0-*-amd64 in it'
  next=$(find_kernels '6\.12\.[0-9]*+deb12-amd64' | tail -n 1)
  [ -n "$next" ] || fail 'there is no kernel 6.12.*+deb12-amd64 in the archive'

  for release in "$previous" "$newest" "$next"; do fetch_kernel kernels "$release"; done
  # Booted by the tests of the proof alone: no release of the world has it.
  fetch_kernel kernels-rt "${newest/-amd64/-rt-amd64}"
  download_and_unpack "$world/kernels/$newest-rt" \
    "linux-headers-${newest/-amd64/-rt-amd64}" "linux-headers-${newest%-amd64}-common-rt"
  for name in "${DRIVERS[@]}"; do download_and_unpack "$world/drivers/$name" "$name-dkms"; done
  fetch_os_packages
  say 'kernels of other machines, and other versions of kmod'
  KMODLAYER_WORLD=$world bash "$here/node.sh" fetch-depmod.ts
  make_toolchain
  make_registry_files
  say 'building images'
  # What an interrupted run of the same programs made is kept; the images of other programs are not.
  rm -rf "$world/world.json" "$world/registry"
  if [ "$(cat "$world/building" 2>/dev/null)" != "${stamp%-bench}" ]; then rm -rf "$world/trees" "$world/layout"; fi
  echo "${stamp%-bench}" >"$world/building"
  bash "$here/node.sh" build-world.ts "$world" "127.0.0.1:$port" "$previous" "$newest" "$next" "$@"
  echo "$stamp" >"$world/stamp"
  say "ready after $((SECONDS - started)) s: $world ($(du -sh "$world" | cut -f1))"
}

main "$@"
