import { BootError } from '../../errors.ts';
import { type EfiGuid, parseEfiGuid, writeEfiGuid } from '../../sign/efi-signature-list.ts';

/** One variable of UEFI firmware. */
export interface EfiVariable {
  readonly name: string;
  readonly namespace: EfiGuid;
  /** Bits of `EFI_VARIABLE_*`. */
  readonly attributes: number;
  readonly data: Uint8Array;
}

const NON_VOLATILE = 0x01;
const BOOT_SERVICE = 0x02;
const RUN_TIME = 0x04;
const TIME_BASED_AUTHENTICATED = 0x20;

/** Variables that hold certificates and hashes are changed by signed updates only. */
export const DATABASE_ATTRIBUTES = NON_VOLATILE | BOOT_SERVICE | RUN_TIME | TIME_BASED_AUTHENTICATED;
/** What shim hands on to the kernel. */
export const SHIM_ATTRIBUTES = NON_VOLATILE | BOOT_SERVICE | RUN_TIME;
/** OVMF's own switch. */
export const SWITCH_ATTRIBUTES = NON_VOLATILE | BOOT_SERVICE;

/** Namespace of OVMF's `SecureBootEnable`. */
export const SECURE_BOOT_ENABLE = parseEfiGuid('f0a30bc7-af08-4556-99c4-001009c93a44');

/** Formats of a firmware volume with variables, and of a store whose variables are authenticated. */
const VARIABLE_VOLUME = parseEfiGuid('fff12b8d-7696-4c8b-a985-2747075b4f50');
const AUTHENTICATED_STORE = parseEfiGuid('aaf32c78-947b-439a-a180-2e144ec37792');

const VOLUME_GUID_AT = 16;
const VOLUME_HEADER_LENGTH_AT = 48;
const STORE_HEADER_BYTES = 28;
const STORE_SIZE_AT = 16;
const RECORD_MAGIC = 0x55aa;
/** `VAR_ADDED`, in flash, whose erased bits are ones. */
const RECORD_ADDED = 0x3f;

/**
 * A store that holds these variables and no others, in the layout of the one that the firmware came with.
 *
 * @param template The store of the firmware, empty or not.
 * @throws {BootError} `FIRMWARE_INVALID` when it has another layout, or is too small.
 * @see edk2 `MdeModulePkg/Include/Guid/VariableFormat.h`
 */
export function writeVariableStore(template: Uint8Array, variables: readonly EfiVariable[]): Buffer {
  const store = Buffer.from(template);
  if (store.length < 128 || !hasGuid(store, VOLUME_GUID_AT, VARIABLE_VOLUME)) {
    throw firmwareInvalid('it is no firmware volume with variables');
  }
  const storeAt = store.readUInt16LE(VOLUME_HEADER_LENGTH_AT);
  if (storeAt + STORE_HEADER_BYTES > store.length || !hasGuid(store, storeAt, AUTHENTICATED_STORE)) {
    throw firmwareInvalid('its variables are not authenticated');
  }
  const end = storeAt + store.readUInt32LE(storeAt + STORE_SIZE_AT);
  if (end > store.length) throw firmwareInvalid('it is cut off');
  const records = Buffer.concat(variables.map(writeRecord));
  const start = storeAt + STORE_HEADER_BYTES;
  if (start + records.length > end) throw firmwareInvalid('it is too small for the certificates');
  store.fill(0xff, start, end);
  records.copy(store, start);
  return store;
}

/** Records begin at multiples of four, counted from the header, which ends at one. */
function writeRecord({ name, namespace, attributes, data }: EfiVariable): Buffer {
  const nameBytes = Buffer.from(`${name}\0`, 'utf16le');
  const header = Buffer.alloc(44);
  header.writeUInt16LE(RECORD_MAGIC, 0);
  header.writeUInt8(RECORD_ADDED, 2);
  header.writeUInt32LE(attributes, 4);
  // Count, time and key stay zero: no signed update came before, so that any may come.
  header.writeUInt32LE(nameBytes.length, 36);
  header.writeUInt32LE(data.length, 40);
  const record = Buffer.concat([header, writeEfiGuid(namespace), nameBytes, data]);
  return Buffer.concat([record, Buffer.alloc((4 - (record.length % 4)) % 4, 0xff)]);
}

function hasGuid(bytes: Buffer, at: number, guid: EfiGuid): boolean {
  return bytes.subarray(at, at + 16).equals(writeEfiGuid(guid));
}

function firmwareInvalid(why: string): BootError {
  return new BootError('FIRMWARE_INVALID', `Cannot use the variable store of the firmware: ${why}`, {
    hint: 'KMODLAYER_OVMF_VARS names the raw, empty store that came with the firmware, such as OVMF_VARS_4M.fd.',
  });
}

/** What a variable that only says yes or no holds. */
export const YES = Buffer.from([1]);
