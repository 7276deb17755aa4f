/** The PEM form of DER bytes, ending with a newline. */
export function toPem(label: string, der: Uint8Array): Buffer {
  const lines = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
    .toString('base64')
    .replaceAll(/.{64}(?!$)/g, '$&\n');
  return Buffer.from(`-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`);
}
