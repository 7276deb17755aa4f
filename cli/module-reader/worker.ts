import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { decompressModule } from '../../src/kmod/compression.ts';
import type { ReadAnswer, ReadJob } from './job.ts';

/** A thread that reads modules until it is told to stop. */
parentPort?.on('message', ({ number, file }: ReadJob) => {
  const answer = (bytes: Uint8Array | undefined): void => {
    const message: ReadAnswer = { number, bytes };
    // Memory of its own changes hands; a part of what is shared must be copied.
    const buffer = bytes?.buffer;
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes?.length;
    parentPort?.postMessage(message, isWhole ? [buffer] : []);
  };
  void read(file).then(answer, () => {
    answer(undefined);
  });
});

async function read(file: string): Promise<Uint8Array> {
  return decompressModule(readFileSync(file));
}
