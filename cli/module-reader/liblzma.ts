import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { DecodeXz } from '../../src/kmod/xz.ts';

/** What is used of liblzma as WebAssembly. Numbers are addresses in its memory, and numbers of 64 bits are two. */
interface Liblzma {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  readonly _malloc: (sizeBytes: number) => number;
  readonly _lzma_stream_decoder: (
    stream: number,
    memoryLimitLow: number,
    memoryLimitHigh: number,
    flags: number,
  ) => number;
  readonly _lzma_code: (stream: number, action: number) => number;
}

type MakeLiblzma = (options: { readonly wasmBinary: Uint8Array }) => Promise<Liblzma>;

/** Fields of `struct lzma_stream` in words of 32 bits. @see liblzma `src/liblzma/api/lzma/base.h` */
const [NEXT_IN, AVAIL_IN, NEXT_OUT, AVAIL_OUT] = [0, 1, 4, 5];
const STREAM_BYTES = 96;
const RUN = 0;
const [OK, STREAM_END] = [0, 1];

/** Parts in which a module passes through the memory of liblzma, which never becomes smaller. */
const [INPUT_BYTES, OUTPUT_BYTES] = [64 * 1024, 256 * 1024];

/** Enough for the dictionaries of modules, which have 1 MiB, and for those that xz makes when nobody says otherwise. */
const MEMORY_LIMIT_BYTES = 16 * 1024 ** 2;

/**
 * Loads the decoder of liblzma: as fast from the first module on as that of this package becomes later, and faster.
 * Undefined where the package is not installed, which is optional.
 */
export async function loadLiblzma(): Promise<DecodeXz | undefined> {
  try {
    const loaded: { readonly default: unknown } = await import('node-liblzma/wasm/liblzma.js');
    const file = createRequire(import.meta.url).resolve('node-liblzma/wasm/liblzma.wasm');
    return makeDecoder(await (loaded.default as MakeLiblzma)({ wasmBinary: await readFile(file) }));
  } catch {
    return undefined;
  }
}

function makeDecoder(liblzma: Liblzma): DecodeXz {
  const stream = liblzma._malloc(STREAM_BYTES);
  const inputAt = liblzma._malloc(INPUT_BYTES);
  const outputAt = liblzma._malloc(OUTPUT_BYTES);
  liblzma.HEAPU8.fill(0, stream, stream + STREAM_BYTES);
  const setField = (field: number, value: number): void => {
    liblzma.HEAPU32[(stream >> 2) + field] = value;
  };
  const getField = (field: number): number => liblzma.HEAPU32[(stream >> 2) + field] ?? 0;

  return (input, output) => {
    // Memory of the stream before serves this one, too.
    if (liblzma._lzma_stream_decoder(stream, MEMORY_LIMIT_BYTES, 0, 0) !== OK) return false;
    setField(AVAIL_IN, 0);
    let taken = 0;
    let made = 0;
    for (;;) {
      if (getField(AVAIL_IN) === 0) {
        const part = input.subarray(taken, taken + INPUT_BYTES);
        liblzma.HEAPU8.set(part, inputAt);
        setField(NEXT_IN, inputAt);
        setField(AVAIL_IN, part.length);
        taken += part.length;
      }
      const room = Math.min(OUTPUT_BYTES, output.length - made);
      setField(NEXT_OUT, outputAt);
      setField(AVAIL_OUT, room);
      // Neither input nor room left is an error that ends this loop, too.
      const status = liblzma._lzma_code(stream, RUN);
      const part = liblzma.HEAPU8.subarray(outputAt, outputAt + room - getField(AVAIL_OUT));
      output.set(part, made);
      made += part.length;
      if (status !== OK) return status === STREAM_END && made === output.length;
    }
  };
}
