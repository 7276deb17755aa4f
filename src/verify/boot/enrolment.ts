import {
  EFI_GUIDS,
  type EfiSignature,
  parseEfiGuid,
  writeEfiSignatureLists,
} from '../../sign/efi-signature-list.ts';
import {
  DATABASE_ATTRIBUTES,
  type EfiVariable,
  SECURE_BOOT_ENABLE,
  SHIM_ATTRIBUTES,
  SWITCH_ATTRIBUTES,
  YES,
} from './efi-variables.ts';
import { findPeHash } from './pe-hash.ts';

/** Where a certificate is put so that the kernel trusts it: the firmware's database, or shim's list of owner's keys. */
export type EnrolPlace = 'db' | 'mok';

export interface Enrolment {
  /** Certificates of the user, in DER. */
  readonly certificates: readonly Uint8Array[];
  readonly place: EnrolPlace;
  /** Certificate that owns the platform, in DER. Nothing is ever checked against it: no variable is updated. */
  readonly owner: Uint8Array;
  /** The kernel that is booted: the firmware knows it by its hash. */
  readonly kernel: Uint8Array;
}

/** Says in the lists who put an entry there. Any would do; it is always the same, so that the lists are, too. */
const OWNER = parseEfiGuid('6d1f2ab6-52f3-4f37-8a0e-9c3b5e1d7c40');

/**
 * The variables of a machine with Secure Boot on, as firmware and shim leave them to the kernel. There is no shim: what
 * it would make of its own list, the variable `MokListRT`, is there from the start.
 */
export function enrolmentVariables({
  certificates,
  place,
  owner,
  kernel,
}: Enrolment): readonly EfiVariable[] {
  const users = certificates.map((der) => x509(der));
  const hash = findPeHash(kernel);
  const known: readonly EfiSignature[] =
    hash === undefined ? [] : [{ type: EFI_GUIDS.certSha256, owner: OWNER, data: hash }];
  const allowed = [...(place === 'db' ? users : []), ...known];
  return [
    database('PK', [x509(owner)]),
    database('KEK', [x509(owner)]),
    database('db', allowed.length > 0 ? allowed : [x509(owner)]),
    {
      name: 'SecureBootEnable',
      namespace: SECURE_BOOT_ENABLE,
      attributes: SWITCH_ATTRIBUTES,
      data: YES,
    },
    ...(place === 'mok' && users.length > 0
      ? [
          shim('MokListRT', writeEfiSignatureLists(users)),
          // The owner has not asked that their keys be left aside.
          shim('MokListTrustedRT', YES),
        ]
      : []),
  ];
}

function x509(der: Uint8Array): EfiSignature {
  return { type: EFI_GUIDS.certX509, owner: OWNER, data: Buffer.from(der) };
}

function database(name: 'PK' | 'KEK' | 'db', signatures: readonly EfiSignature[]): EfiVariable {
  const namespace = name === 'db' ? EFI_GUIDS.imageSecurityDatabase : EFI_GUIDS.globalVariable;
  return { name, namespace, attributes: DATABASE_ATTRIBUTES, data: writeEfiSignatureLists(signatures) };
}

function shim(name: string, data: Uint8Array): EfiVariable {
  return { name, namespace: EFI_GUIDS.shimLock, attributes: SHIM_ATTRIBUTES, data };
}
