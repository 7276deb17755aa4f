import { unsigned, type Mutant } from './mutant.ts';
import {
  MARKER,
  withoutSignature,
  withSignature,
  type MutantKeys,
  type SignOptions,
  type Trailer,
} from './mutant-keys.ts';

type Seal = NonNullable<Mutant['seal']>;

function signature(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  seal: Seal,
  kernelOf: NonNullable<Mutant['kernelOf']> = {},
): Mutant {
  return { id: `signature-${id}`, check: 'signature', of: 'mu_leaf', change, kernel, kernelOf, seal };
}

function signFile(options: SignOptions, flags: readonly string[] = []): Seal {
  return (bytes, keys) => keys.signFile(bytes, options, flags);
}

function cms(options: SignOptions): Seal {
  return async (bytes, keys) => withSignature(bytes, await keys.cms(bytes, options));
}

function trailer(fields: Trailer | ((cmsBytes: number, fileBytes: number) => Trailer)): Seal {
  return async (bytes, keys) => {
    const message = await keys.cms(bytes);
    const chosen = typeof fields === 'function' ? fields(message.length, bytes.length) : fields;
    return withSignature(bytes, message, chosen);
  };
}

function message(change: (cms: Buffer) => Buffer): Seal {
  return async (bytes, keys) => withSignature(bytes, change(await keys.cms(bytes)));
}

function signed(change: (file: Buffer) => Buffer): Seal {
  return async (bytes, keys) => change(await keys.sign(bytes));
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy.writeUInt8(copy.readUInt8(index) ^ 0xff, index);
  return copy;
}

/** Writes bytes of the same number over their last occurrence. */
function replaced(bytes: Buffer, from: string, to: string): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.lastIndexOf(Buffer.from(from, 'hex'));
  if (at < 0) throw new Error(`${from} is not in the message`);
  copy.set(Buffer.from(to, 'hex'), at);
  return copy;
}

async function signedTwice(
  bytes: Buffer,
  keys: MutantKeys,
  ...order: readonly SignOptions[]
): Promise<Buffer> {
  let file = bytes;
  for (const options of order) file = await keys.signFile(file, options);
  return file;
}

const [SHA256_OID, SHA512_OID] = ['608648016503040201', '608648016503040203'] as const;
const SINCE_6_12 = { '6.1': 'refused-when-enforced' } as const;

export const SIGNATURE_MUTANTS: readonly Mutant[] = [
  signature('none', 'there is none', 'refused-when-enforced', unsigned),
  signature('key-id', 'names the key by its identifier', 'accepted', signFile({}, ['-k'])),
  signature(
    'unknown-key',
    'made with a key that nobody knows',
    'refused-when-enforced',
    signFile({ key: 'unknown' }),
  ),
  signature(
    'unknown-key-id',
    'made with a key that nobody knows, by its identifier',
    'refused-when-enforced',
    signFile({ key: 'unknown' }, ['-k']),
  ),
  signature('sha1', 'SHA-1', 'accepted', signFile({ hash: 'sha1' })),
  signature('sha224', 'SHA-224', 'accepted', signFile({ hash: 'sha224' })),
  signature('sha384', 'SHA-384', 'accepted', signFile({ hash: 'sha384' }), SINCE_6_12),
  signature('sha512', 'SHA-512', 'accepted', signFile({ hash: 'sha512' }), SINCE_6_12),
  signature(
    'ecdsa',
    'made with a key on an elliptic curve',
    'accepted',
    signFile({ key: 'trusted-ec' }),
    SINCE_6_12,
  ),
  signature('md5', 'MD5', 'refused-when-enforced', cms({ hash: 'md5' }), { '6.1': 'accepted' }),
  signature('sha3', 'SHA3-256', 'accepted', cms({ hash: 'sha3-256' }), SINCE_6_12),
  signature(
    'pss',
    'RSA with PSS padding',
    'refused-when-enforced',
    cms({ cms: ['-noattr', '-nocerts', '-keyopt', 'rsa_padding_mode:pss'] }),
  ),
  signature('attributes', 'over attributes, not over the module', 'refused', cms({ cms: ['-nocerts'] })),
  signature(
    'two-known-first',
    'two signers in one message, the first one known',
    'accepted',
    cms({ second: 'unknown' }),
  ),
  signature(
    'two-known-last',
    'two signers in one message, the last one known',
    'accepted',
    cms({ key: 'unknown', second: 'trusted' }),
  ),
  signature('two-known', 'two signers in one message, both known', 'accepted', cms({ second: 'trusted-ec' })),
  signature('certificate', 'brings its certificate along', 'accepted', cms({ cms: ['-noattr'] })),
  signature(
    'enclosed',
    'encloses what it signs',
    'refused',
    cms({ cms: ['-noattr', '-nocerts', '-nodetach'] }),
  ),

  signature('algo', 'trailer: an algorithm', 'refused', trailer({ algo: 1 })),
  signature('hash', 'trailer: a hash', 'refused', trailer({ hash: 4 })),
  signature('type-pgp', 'trailer: the type of PGP', 'refused-when-enforced', trailer({ idType: 0 })),
  signature('type-x509', 'trailer: the type of X.509', 'refused-when-enforced', trailer({ idType: 1 })),
  signature('signer-length', 'trailer: a name of the signer', 'refused', trailer({ signerLength: 9 })),
  signature('key-id-length', 'trailer: a name of the key', 'refused', trailer({ keyIdLength: 20 })),
  signature('padding-1', 'trailer: first byte of padding', 'refused', trailer({ padding: [1, 0, 0] })),
  signature('padding-2', 'trailer: second byte of padding', 'refused', trailer({ padding: [0, 1, 0] })),
  signature('padding-3', 'trailer: third byte of padding', 'refused', trailer({ padding: [0, 0, 1] })),
  signature('length-zero', 'trailer: no message', 'refused', trailer({ length: 0 })),
  signature(
    'length-short',
    'trailer: the message is a byte shorter',
    'refused',
    trailer((cmsBytes) => ({ length: cmsBytes - 1 })),
  ),
  signature(
    'length-long',
    'trailer: the message is a byte longer',
    'refused',
    trailer((cmsBytes) => ({ length: cmsBytes + 1 })),
  ),
  signature(
    'length-file',
    'trailer: the message is as long as the file',
    'refused',
    trailer((cmsBytes, fileBytes) => ({ length: cmsBytes + fileBytes })),
  ),
  signature('length-huge', 'trailer: the message has 4 GB', 'refused', trailer({ length: 0xffffffff })),

  signature(
    'cut',
    'the message lacks its last ten bytes',
    'refused',
    message((cms) => cms.subarray(0, -10)),
  ),
  signature(
    'garbage',
    'the message is noise',
    'refused',
    message((cms) => Buffer.alloc(cms.length, 0x5a)),
  ),
  signature(
    'empty',
    'the message is an empty sequence',
    'refused',
    message(() => Buffer.from([0x30, 0])),
  ),
  signature(
    'text',
    'the message is text',
    'refused',
    message(() => Buffer.from('-----BEGIN PKCS7-----\n')),
  ),
  signature(
    'tail',
    'bytes after the message',
    'accepted',
    message((cms) => Buffer.concat([cms, Buffer.alloc(16)])),
  ),
  signature(
    'oid',
    'names another hash',
    'refused-when-enforced',
    message((cms) => replaced(cms, SHA256_OID, SHA512_OID)),
  ),
  signature(
    'value',
    'a bit of the signature is wrong',
    'refused-when-enforced',
    message((cms) => flipped(cms, -1)),
  ),
  signature(
    'serial',
    'names another certificate of the same issuer',
    'refused-when-enforced',
    message((cms) => flipped(cms, cms.lastIndexOf(Buffer.from(SHA256_OID, 'hex')) - 6)),
  ),

  signature(
    'tampered',
    'a byte of the module was changed afterwards',
    'refused-when-enforced',
    signed((file) => tampered(file)),
  ),
  signature(
    'byte-after',
    'a byte after the end',
    'refused-when-enforced',
    signed((file) => Buffer.concat([file, Buffer.from('\n')])),
  ),
  signature(
    'marker',
    'the marker is spelled differently',
    'refused-when-enforced',
    signed((file) => flipped(file, -3)),
  ),
  signature(
    'marker-only',
    'nothing but the marker',
    'refused-when-enforced',
    signed((file) => Buffer.concat([withoutSignature(file), Buffer.from(MARKER)])),
  ),
  signature('twice', 'signed twice with a key that is known', 'accepted', (bytes, keys) =>
    signedTwice(bytes, keys, {}, {}),
  ),
  signature('twice-known-last', 'signed twice, last with the key that is known', 'accepted', (bytes, keys) =>
    signedTwice(bytes, keys, { key: 'unknown' }, {}),
  ),
  signature(
    'twice-known-first',
    'signed twice, first with the key that is known',
    'refused-when-enforced',
    (bytes, keys) => signedTwice(bytes, keys, {}, { key: 'unknown' }),
  ),
  { ...signature('kernel', 'the signature of the kernel itself', 'accepted', kernelsOwn()), of: 'dummy' },
  {
    ...signature(
      'kernel-cut',
      'the signature of the kernel itself was cut off',
      'refused-when-enforced',
      unsigned,
    ),
    of: 'dummy',
  },
  {
    ...signature(
      'kernel-tampered',
      'a byte was changed under the signature of the kernel itself',
      'refused',
      kernelsOwn(tampered),
    ),
    of: 'dummy',
  },
  {
    ...signature(
      'kernel-twice',
      'signed by the kernel itself, then with a key that is known',
      'accepted',
      async (bytes, keys) => keys.sign(await kernelsOwn()(bytes, keys)),
    ),
    of: 'dummy',
  },
];

/** Changes a byte of the description, so that nothing but the signature is wrong. */
function tampered(file: Buffer): Buffer {
  return flipped(file, file.indexOf('description=') + 'description='.length);
}

/** The module as it came with the kernel. */
function kernelsOwn(change = (file: Buffer): Buffer => file): Seal {
  return (_bytes, keys) => Promise.resolve(change(keys.kernelModule));
}
