import fc from 'fast-check';

/** Any text, control characters and broken UTF-8 included; much faster to set up than fast-check's own units. */
export function anyText({ maxBytes }: { readonly maxBytes: number }): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength: maxBytes }).map((bytes) => Buffer.from(bytes).toString('utf8'));
}
