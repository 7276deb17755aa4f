import { decompressModule } from '../../kmod/compression.ts';
import { findSection, readElf } from '../../kmod/elf.ts';
import { parseSignedData } from '../../sign/cms.ts';
import { findHash, type SignatureHash } from '../../sign/hash.ts';
import { makeKeyFileSigner } from '../../sign/key-file.ts';
import { splitSignature, stripSignature } from '../../sign/module-signature.ts';
import { signModule } from '../../sign/sign.ts';
import type { ThrowAwayKey } from '../../sign/throw-away-key.ts';
import type { ControlBoot, LoadOutcome } from './boot-report.ts';
import type { Judged } from './outcome.ts';

/** A copy of a module that a kernel which enforces signatures must refuse. */
export interface Control {
  readonly name: string;
  readonly kind: ControlBoot['kind'];
  readonly bytes: Uint8Array;
}

/**
 * The copies of a module that prove that the kernel looks at signatures: one without, one that was changed after it was
 * signed, and one that a key signed that nobody trusts.
 *
 * @param installed The module as it is installed, compressed or not.
 * @throws {ModuleError}, {SignError} for bytes that are no module, or whose signature is malformed.
 */
export async function makeControls(
  name: string,
  installed: Uint8Array,
  wrongKey: ThrowAwayKey,
): Promise<readonly Control[]> {
  const module = await decompressModule(installed);
  const signer = makeKeyFileSigner({
    key: wrongKey.privateKey.export({ type: 'pkcs8', format: 'der' }),
    certificate: wrongKey.certificate,
  });
  const unsigned = stripSignature(module);
  return [
    { name, kind: 'unsigned', bytes: unsigned },
    { name, kind: 'tampered', bytes: tamper(module, unsigned) },
    { name, kind: 'wrong-key', bytes: await signModule(unsigned, signer, { hash: hashOf(module) }) },
  ];
}

/** One bit of the code, or of whatever else the module has: the signature after it stays as it is. */
function tamper(module: Buffer, unsigned: Buffer): Buffer {
  const elf = readElf(unsigned);
  const section = ['.text', '.init.text', '.modinfo']
    .map((name) => findSection(elf, name))
    .find((found) => found !== undefined && found.sizeBytes > 0);
  const at = section === undefined ? unsigned.length - 1 : section.offset + Math.floor(section.sizeBytes / 2);
  const copy = Buffer.from(module);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

/** The hash that the module was signed with, which this kernel knows. */
function hashOf(module: Buffer): SignatureHash {
  const { cms } = splitSignature(module);
  const oid = cms === undefined ? undefined : parseSignedData(cms).signers[0]?.digestOid;
  const hash = oid === undefined ? undefined : findHash(oid);
  return hash === 'sha384' || hash === 'sha512' ? hash : 'sha256';
}

/** How the kernel and kmod say that it was the signature: EKEYREJECTED, ENOKEY, EBADMSG, ENOPKG, EPERM of lockdown. */
const FOR_ITS_SIGNATURE =
  /Key was rejected by service|Required key not available|Bad message|Package not installed|Operation not permitted|is rejected/;

/** What became of a control; a refusal for another reason than its signature proves nothing. */
export function judgeControl({ outcome, messages }: Judged): {
  readonly outcome: LoadOutcome;
  readonly isProof: boolean;
} {
  return { outcome, isProof: outcome === 'refused' && messages.some((text) => FOR_ITS_SIGNATURE.test(text)) };
}
