// Made from pods/ by "npm test -- -u". Do not edit.

/** `pods/enrolment-state.sh` */
export const NODE_STATE_SCRIPT = `#!/bin/sh
# Says whether this node trusts a certificate that modules are signed with, and what else Secure Boot does here.
#
#   enrolment-state.sh show     prints what there is to say
#   enrolment-state.sh ready    the same without printing: ends with 0 when the kernel knows the certificate
#   enrolment-state.sh watch    prints it again whenever it has changed, until it is told to end
#
# Environment:
#   KMODLAYER_CERTIFICATE   the certificate in DER, in hex
#   KMODLAYER_KEY_ID        by what the kernel names its key: subject key identifier, else serial number, in hex
#   KMODLAYER_ROOT          where the sys and proc of the node are; empty: /
#   KMODLAYER_NODE          name of the node
#   KMODLAYER_SECONDS       time between two looks of "watch", 60 when not set
#
# It changes nothing, and needs a shell, cat, od, tr and sleep of any image.
set -eu

root=\${KMODLAYER_ROOT:-}
variables=$root/sys/firmware/efi/efivars
global=8be4df61-93ca-11d2-aa0d-00e098032b8c
database=d719b2cb-3d3a-4596-a3bc-dad00e67656f
shim=605dab50-e046-4300-abb6-3dd810dd8b23

# hex FILE: its bytes, nothing for a file that cannot be read.
hex() {
  od -An -v -tx1 "$1" 2>/dev/null | tr -d ' \\n' || true
}

# holds FILE: yes when the certificate is in it.
holds() {
  case $(hex "$1") in
    *"$KMODLAYER_CERTIFICATE"*) echo yes ;;
    *) echo no ;;
  esac
}

# secure_boot: on, off, setup when the firmware waits for its first keys, none without UEFI.
secure_boot() {
  if [ ! -d "$root/sys/firmware/efi" ]; then
    echo none
    return
  fi
  # Four bytes of attributes come before the value.
  case $(hex "$variables/SecureBoot-$global"):$(hex "$variables/SetupMode-$global") in
    ????????01:*) echo on ;;
    *:????????01) echo setup ;;
    ????????00:*) echo off ;;
    *) echo unknown ;;
  esac
}

lockdown() {
  case $(cat "$root/sys/kernel/security/lockdown" 2>/dev/null || true) in
    *'[none]'*) echo none ;;
    *'[integrity]'*) echo integrity ;;
    *'[confidentiality]'*) echo confidentiality ;;
    *) echo unknown ;;
  esac
}

enforced() {
  case $(cat "$root/sys/module/module/parameters/sig_enforce" 2>/dev/null || true) in
    Y | 1) echo yes ;;
    N | 0) echo no ;;
    *) echo unknown ;;
  esac
}

# known: yes when the kernel has the key in one of its keyrings. Lines end in "NAME: KEY-ID: X509.rsa 1a2b3c4d []".
known() {
  if [ ! -r "$root/proc/keys" ]; then
    echo unknown
    return
  fi
  case $(cat "$root/proc/keys") in
    *": $KMODLAYER_KEY_ID: X509."*) echo yes ;;
    *) echo no ;;
  esac
}

# look: sets all that "show" prints.
look() {
  secure_boot=$(secure_boot)
  in_db=$(holds "$variables/db-$database")
  in_mok=$(holds "$variables/MokListRT-$shim")
  asked=$(holds "$variables/MokNew-$shim")
  known=$(known)
  case $known:$in_db:$in_mok:$asked in
    yes:*) state=enrolled ;;
    unknown:*) state=unknown ;;
    # The kernel reads the firmware's certificates when it starts, and not where it was told to leave the firmware alone.
    no:*yes:no | no:yes:*) state=not-read ;;
    no:*:yes) state='asked-for' ;;
    *) state=missing ;;
  esac
}

describe() {
  case $state in
    enrolled) echo 'the kernel trusts the certificate' ;;
    not-read) echo 'the firmware has the certificate, the kernel does not: reboot; a kernel for real time needs efi=runtime' ;;
    asked-for) echo 'mokutil has asked for the certificate: reboot, and confirm it at the console' ;;
    missing) echo 'the certificate is not enrolled' ;;
    *) echo 'the keys of the kernel cannot be read here' ;;
  esac
}

show() {
  printf '%s: %s\\n' "\${KMODLAYER_NODE:-this node}" "$(describe)"
  printf '  %-19s %s\\n' state "$state" secure-boot "$secure_boot" lockdown "$(lockdown)" \\
    signatures-enforced "$(enforced)" certificate-in-db "$in_db" certificate-in-mok "$in_mok" \\
    known-to-kernel "$known"
}

case \${1:-show} in
  show)
    look
    show
    ;;
  ready)
    look
    [ "$state" = enrolled ]
    ;;
  watch)
    # The first process of a container gets no signal that it does not ask for.
    trap 'exit 0' TERM INT
    before=
    while :; do
      look
      now=$(show)
      if [ "$now" != "$before" ]; then
        printf '%s\\n' "$now"
        before=$now
      fi
      sleep "\${KMODLAYER_SECONDS:-60}" &
      wait "$!"
    done
    ;;
  *)
    printf 'usage: %s show|ready|watch\\n' "$0" >&2
    exit 2
    ;;
esac
`;
