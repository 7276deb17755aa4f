import { Worker } from 'node:worker_threads';
import type { ReadAnswer, ReadJob } from './job.ts';

/** A thread that reads one module after the other. */
export interface ReaderThread {
  /** Undefined when it cannot, or ends before it answers. */
  read(file: string): Promise<Uint8Array | undefined>;
  readonly countJobs: () => number;
  readonly isRunning: () => boolean;
  stop(): Promise<void>;
}

/** What is made of one module is garbage with the next: a large young generation would only hold it longer. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 8 };

/** Undefined where node permits no threads. */
export function startThread(workerFile: string): ReaderThread | undefined {
  let worker: Worker;
  try {
    worker = new Worker(workerFile, { resourceLimits: RESOURCE_LIMITS });
  } catch {
    return undefined;
  }
  const waiting = new Map<number, (bytes: Uint8Array | undefined) => void>();
  let isRunning = true;
  let next = 0;
  worker.on('message', ({ number, bytes }: ReadAnswer) => {
    waiting.get(number)?.(bytes);
    waiting.delete(number);
  });
  worker.on('error', () => {
    isRunning = false;
  });
  worker.on('exit', () => {
    isRunning = false;
    for (const settle of waiting.values()) settle(undefined);
    waiting.clear();
  });
  return {
    read: (file) =>
      new Promise((settle) => {
        const job: ReadJob = { number: next++, file };
        waiting.set(job.number, settle);
        worker.postMessage(job);
      }),
    countJobs: () => waiting.size,
    isRunning: () => isRunning,
    stop: async () => {
      isRunning = false;
      await worker.terminate();
    },
  };
}
