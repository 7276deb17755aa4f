/** Files and what is said of them, as one piece of bytes for the cache: a line of JSON, then the files. */
export function packFiles(
  files: ReadonlyMap<string, Uint8Array>,
  head: Readonly<Record<string, unknown>> = {},
): Buffer {
  const sizes = [...files].map(([path, bytes]) => [path, bytes.length]);
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ...head, sizes })}\n`), ...files.values()]);
}

/** What `packFiles` packed; undefined for an entry that was damaged: it is then learnt anew. */
export function unpackFiles(packed: Uint8Array):
  | {
      readonly files: ReadonlyMap<string, Uint8Array>;
      readonly head: Readonly<Record<string, unknown>>;
    }
  | undefined {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const end = bytes.indexOf('\n');
  try {
    const head = JSON.parse(bytes.toString('utf8', 0, Math.max(end, 0))) as Record<string, unknown>;
    const sizes = head['sizes'];
    if (!Array.isArray(sizes)) return undefined;
    const files = new Map<string, Uint8Array>();
    let at = end + 1;
    for (const [path, size] of sizes as [string, number][]) {
      files.set(path, bytes.subarray(at, at + size));
      at += size;
    }
    return at === bytes.length ? { files, head } : undefined;
  } catch {
    return undefined;
  }
}
