import { execFile } from 'node:child_process';
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The guest is given the certificates of the first two; nobody has the third one's. */
const KEYS = {
  trusted: ['-newkey', 'rsa:2048'],
  'trusted-ec': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  unknown: ['-newkey', 'rsa:2048'],
} as const;

export type KeyName = keyof typeof KEYS;

export interface SignOptions {
  readonly key?: KeyName;
  /** Signs once more in the same message; only with `openssl cms`. */
  readonly second?: KeyName;
  readonly hash?: string;
  /** Further arguments of `openssl cms`. */
  readonly cms?: readonly string[];
}

/** Keys of one run, and the tools that sign with them: the kernel's `sign-file`, and openssl. */
export class MutantKeys {
  /** The module of the kernel that mutants are made of, as it came. */
  readonly kernelModule: Buffer;
  readonly #directory: string;
  readonly #signFile: string;
  #message: Buffer | undefined;

  constructor(options: { directory: string; signFile: string; kernelModule: Buffer }) {
    this.kernelModule = options.kernelModule;
    this.#directory = options.directory;
    this.#signFile = options.signFile;
  }

  /** Makes the keys in a directory, for the tools of all kernels, and gives the certificates that guests trust. */
  static async make(directory: string): Promise<readonly X509Certificate[]> {
    for (const [name, kind] of Object.entries(KEYS)) {
      const files = ['-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.pem`)];
      const subject = ['-subj', `/O=Mutants/CN=${name} key`, '-addext', 'keyUsage=digitalSignature'];
      await run('openssl', [
        ...['req', '-new', '-x509', '-nodes', '-days', '3650'],
        ...[...kind, ...subject, ...files],
      ]);
    }
    const trusted = (['trusted', 'trusted-ec'] as const).map((name) => join(directory, `${name}.pem`));
    return Promise.all(trusted.map(async (file) => new X509Certificate(await readFile(file))));
  }

  /**
   * What `signFile` gives without options, in a hundredth of the time: the message is the same for all files, but for
   * its last bytes, which are the RSA signature itself.
   */
  async sign(bytes: Uint8Array): Promise<Buffer> {
    this.#message ??= signatureOf(await this.signFile(Buffer.from('any')));
    const value = sign('sha256', bytes, await readFile(this.#path('trusted.key')));
    return withSignature(bytes, Buffer.concat([this.#message.subarray(0, -value.length), value]));
  }

  /** As the kernel's build signs its modules; `-k` names the key by its identifier. */
  async signFile(
    bytes: Uint8Array,
    options: SignOptions = {},
    flags: readonly string[] = [],
  ): Promise<Buffer> {
    const file = await this.#write(bytes);
    const { key = 'trusted', hash = 'sha256' } = options;
    await run(this.#signFile, [...flags, hash, this.#path(`${key}.key`), this.#path(`${key}.pem`), file]);
    return readFile(file);
  }

  /** A CMS message over the bytes, in DER. */
  async cms(bytes: Uint8Array, options: SignOptions = {}): Promise<Buffer> {
    const file = await this.#write(bytes);
    const { key = 'trusted', second, hash = 'sha256', cms = ['-noattr', '-nocerts'] } = options;
    const signers = [key, ...(second === undefined ? [] : [second])];
    await run('openssl', [
      ...['cms', '-sign', '-binary', '-nosmimecap', '-outform', 'DER', '-md', hash],
      ...signers.flatMap((name) => [
        ...['-signer', this.#path(`${name}.pem`), '-inkey', this.#path(`${name}.key`)],
      ]),
      ...cms,
      ...['-in', file, '-out', `${file}.cms`],
    ]);
    return readFile(`${file}.cms`);
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  async #write(bytes: Uint8Array): Promise<string> {
    const file = this.#path(`${randomUUID()}.ko`);
    await writeFile(file, bytes);
    return file;
  }
}

/** Fields of `struct module_signature`, in front of the marker. */
export interface Trailer {
  readonly algo?: number;
  readonly hash?: number;
  readonly idType?: number;
  readonly signerLength?: number;
  readonly keyIdLength?: number;
  readonly padding?: readonly [number, number, number];
  readonly length?: number;
}

/** A module with a CMS message after it, and a trailer that may lie. */
export function withSignature(bytes: Uint8Array, cms: Uint8Array, trailer: Trailer = {}): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(trailer.length ?? cms.length);
  return Buffer.concat([
    ...[bytes, cms],
    Buffer.from([
      ...[trailer.algo ?? 0, trailer.hash ?? 0, trailer.idType ?? 2],
      ...[trailer.signerLength ?? 0, trailer.keyIdLength ?? 0, ...(trailer.padding ?? [0, 0, 0])],
    ]),
    ...[length, Buffer.from(MARKER)],
  ]);
}

export const MARKER = '~Module signature appended~\n';

const TRAILER_BYTES = 12 + MARKER.length;

/** A signed module without its last signature; one that is not signed as it is. */
export function withoutSignature(file: Buffer): Buffer {
  if (!file.toString('latin1').endsWith(MARKER)) return file;
  return file.subarray(0, -TRAILER_BYTES - signatureOf(file).length);
}

/** The message at the end of a signed module. */
function signatureOf(file: Buffer): Buffer {
  const end = file.length - TRAILER_BYTES;
  return file.subarray(end - file.readUInt32BE(end + 8), end);
}
