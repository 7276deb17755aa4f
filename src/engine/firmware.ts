import { access, readFile } from 'node:fs/promises';
import { BootError } from '../errors.ts';

/** UEFI firmware with Secure Boot, as two flash images. */
export interface Firmware {
  readonly code: string;
  /** An empty store of variables that fits. */
  readonly variables: string;
  /** Built so that only code in system management mode may write variables: the machine must have it. */
  readonly needsSmm: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Where distributions put OVMF. Debian's build without SMM implements Secure Boot, too, and starts faster.
 *
 * @see https://github.com/qemu/qemu/blob/master/docs/interop/firmware.json
 */
const PLACES: readonly Firmware[] = [
  place('/usr/share/OVMF', 'OVMF_CODE_4M.fd', 'OVMF_VARS_4M.fd'),
  place('/usr/share/edk2/ovmf', 'OVMF_CODE.secboot.fd', 'OVMF_VARS.fd'),
  place('/usr/share/OVMF', 'OVMF_CODE.secboot.fd', 'OVMF_VARS.fd'),
  place('/usr/share/edk2/x64', 'OVMF_CODE.secboot.4m.fd', 'OVMF_VARS.4m.fd'),
  place('/usr/share/edk2-ovmf/x64', 'OVMF_CODE.secboot.fd', 'OVMF_VARS.fd'),
  place('/usr/share/qemu', 'ovmf-x86_64-smm-code.bin', 'ovmf-x86_64-smm-vars.bin'),
];

function place(directory: string, code: string, variables: string): Firmware {
  return withSmm(`${directory}/${code}`, `${directory}/${variables}`);
}

/** The build is told by its name: all distributions have `secboot` or `smm` in it. */
function withSmm(code: string, variables: string): Firmware {
  return { code, variables, needsSmm: /secboot|smm|secure/i.test(code.slice(code.lastIndexOf('/') + 1)) };
}

/**
 * The firmware that `KMODLAYER_OVMF_CODE` and `KMODLAYER_OVMF_VARS` name, or the first one that a distribution has
 * installed.
 *
 * @throws {BootError} `FIRMWARE_MISSING`.
 */
export async function findFirmware(env: Env): Promise<Firmware> {
  const code = env['KMODLAYER_OVMF_CODE'];
  const variables = env['KMODLAYER_OVMF_VARS'];
  const isNamed = code !== undefined || variables !== undefined;
  const candidates = isNamed ? [withSmm(code ?? '', variables ?? '')] : PLACES;
  for (const candidate of candidates) {
    if ((await isReadable(candidate.code)) && (await isReadable(candidate.variables))) return candidate;
  }
  const names = isNamed ? `${code ?? '(not set)'} and ${variables ?? '(not set)'}` : 'OVMF';
  throw new BootError('FIRMWARE_MISSING', `Cannot boot with Secure Boot: ${names} cannot be read`, {
    hint: isNamed
      ? 'KMODLAYER_OVMF_CODE and KMODLAYER_OVMF_VARS name two raw flash images that belong together.'
      : 'Install "edk2-ovmf" (Fedora, RHEL) or "ovmf" (Debian, Ubuntu), or set KMODLAYER_OVMF_CODE and KMODLAYER_OVMF_VARS.',
  });
}

/** The store that firmware comes with: its variables are replaced, its layout is what counts. */
export async function readEmptyStore(firmware: Firmware): Promise<Uint8Array> {
  return readFile(firmware.variables);
}

async function isReadable(path: string): Promise<boolean> {
  return access(path).then(
    () => path !== '',
    () => false,
  );
}
