import { createHash } from 'node:crypto';
import { SignError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { SignatureHash } from '../spec/driver-set.ts';
import type { Pkcs11Uri } from '../spec/pkcs11-uri.ts';
import type { Certificate } from './certificate.ts';
import { readAnswer } from './command-signer.ts';
import { DER, writeDer, writeOid } from './der.ts';
import { ecdsaNumberBytes } from './ecdsa-value.ts';
import { oidOfHash } from './hash.ts';
import {
  parseTokenKeys,
  parseTokenSlots,
  pkcs11Failure,
  runPkcs11Tool,
  type Pkcs11Access,
  type TokenKey,
  type TokenSlot,
} from './pkcs11-tool.ts';
import type { Signer } from './signer.ts';

export interface Pkcs11SignerOptions extends Pkcs11Access {
  readonly uri: Pkcs11Uri;
  readonly certificate: Certificate;
}

type Pkcs11Io = Pick<Io, 'runProgram' | 'report' | 'signal'>;

/**
 * A signer whose key is in a token. The token is asked at once whether it has the key, so that a wrong PIN or a missing
 * token is known before anything is compiled.
 *
 * @throws {SignError} `TOOL_MISSING`, `KEY_UNREADABLE` when not exactly one token and one key are what the URI names,
 * or the token refuses.
 */
export async function makePkcs11Signer(options: Pkcs11SignerOptions, io: Pkcs11Io): Promise<Signer> {
  const { uri, certificate } = options;
  const { slotId } = await findToken(options, io);
  const id = await findKeyId(options, slotId, io);
  const sign = (mechanism: string, input: Uint8Array): ReturnType<typeof runPkcs11Tool> =>
    runPkcs11Tool(options, { args: ['--sign', '--mechanism', mechanism, '--id', id], slotId, input }, io);
  return {
    certificate,
    sign: async ({ data, hash }) => {
      const digest = createHash(hash).update(data).digest();
      const numberBytes = ecdsaNumberBytes(certificate.publicKey);
      let result =
        numberBytes === undefined
          ? await sign('RSA-PKCS', digestInfo(hash, digest))
          : await sign('ECDSA', digest.subarray(0, numberBytes));
      if (
        numberBytes === undefined &&
        result.errorTail.some((line) => line.includes('CKR_MECHANISM_INVALID'))
      ) {
        // Tokens that hash themselves, and nothing else.
        result = await sign(`${hash.toUpperCase()}-RSA-PKCS`, data);
      }
      if (result.exitCode !== 0) throw pkcs11Failure(`Cannot sign with ${nameOf(uri)}`, result);
      return readAnswer(result.output, certificate.publicKey);
    },
  };
}

async function findToken(options: Pkcs11SignerOptions, io: Pkcs11Io): Promise<TokenSlot> {
  const { uri } = options;
  const result = await runPkcs11Tool(options, { args: ['--list-token-slots'] }, io);
  if (result.exitCode !== 0) throw pkcs11Failure('Cannot list tokens', result);
  const slots = parseTokenSlots(result.output.toString('utf8'));
  const matches = slots.filter(
    (slot) =>
      (uri.slotId ?? slot.slotId) === slot.slotId &&
      (['token', 'manufacturer', 'model', 'serial'] as const).every(
        (name) => (uri[name] ?? slot[name]) === slot[name],
      ),
  );
  return requireOne(
    matches,
    slots.map(({ token, serial }) => `"${token}" (serial=${serial})`),
    {
      what: 'token',
      more: 'Add "serial=..." or "slot-id=..." to the URI.',
      none: 'Check the URI, and that the token is plugged in.',
    },
  );
}

/** `pkcs11-tool --sign` passes `--label` over and takes the first key: only an identifier names one for sure. */
async function findKeyId(options: Pkcs11SignerOptions, slotId: bigint, io: Pkcs11Io): Promise<string> {
  const { uri } = options;
  const result = await runPkcs11Tool(options, { args: ['--list-objects', '--type', 'privkey'], slotId }, io);
  if (result.exitCode !== 0) throw pkcs11Failure('Cannot list the keys of the token', result);
  const keys = parseTokenKeys(result.output.toString('utf8'));
  const { id } = requireOne(
    keys.filter((key) => (uri.object ?? key.label) === key.label && (uri.id ?? key.id) === key.id),
    keys.map(({ label = '', id: keyId = 'none' }) => `"${label}" (id ${keyId})`),
    {
      what: 'private key',
      more: 'Add "id=..." to the URI.',
      none:
        options.pin === undefined
          ? 'Private keys show after a login: give "pin".'
          : 'Check "object" and "id" of the URI.',
    },
  );
  if (id === undefined || keys.filter((key: TokenKey) => key.id === id).length > 1) {
    throw new SignError('KEY_UNREADABLE', `Cannot use ${nameOf(uri)}: its identifier is not its own`, {
      hint: 'Give each private key of the token a CKA_ID of its own.',
    });
  }
  return id;
}

function requireOne<T>(
  matches: readonly T[],
  found: readonly string[],
  { what, more, none }: { readonly what: string; readonly more: string; readonly none: string },
): T {
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const there = found.length === 0 ? `there is no ${what}` : `there are ${found.slice(0, 10).join(', ')}`;
  throw new SignError(
    'KEY_UNREADABLE',
    matches.length === 0
      ? `Cannot find the ${what} of the URI: ${there}`
      : `Cannot tell which ${what} the URI means: ${matches.length} match`,
    { hint: matches.length === 0 ? none : more },
  );
}

function nameOf({ object, id }: Pkcs11Uri): string {
  return object === undefined ? `key ${id ?? ''} of the token` : `key "${object}" of the token`;
}

/** What RSA signs with PKCS#1 v1.5: the hash and its name. @see https://www.rfc-editor.org/rfc/rfc8017#section-9.2 */
function digestInfo(hash: SignatureHash, digest: Uint8Array): Buffer {
  const algorithm = writeDer(DER.sequence, writeOid(oidOfHash(hash)), writeDer(DER.null));
  return writeDer(DER.sequence, algorithm, writeDer(DER.octetString, digest));
}
