import type { Stage } from './events.ts';
import type { Io } from './io.ts';
import type { ImageConfig } from './oci/config.ts';

/** Says when a stage of a unit of work begins and ends. */
export function makeStages(target: string, io: Pick<Io, 'now' | 'report' | 'signal'>) {
  return async <T>(stage: Stage, work: () => Promise<T>): Promise<T> => {
    io.signal.throwIfAborted();
    const started = io.now().getTime();
    io.report({ type: 'stage-started', target, stage });
    const result = await work();
    io.report({ type: 'stage-finished', target, stage, ms: io.now().getTime() - started });
    return result;
  };
}

/** The base's own time, so that the same inputs give the same image; `SOURCE_DATE_EPOCH` wins. */
export function createdAt(base: { readonly config: Pick<ImageConfig, 'json'> }, env: Io['env']): string {
  const epoch = Number(env['SOURCE_DATE_EPOCH']);
  if (Number.isSafeInteger(epoch) && epoch > 0) return new Date(epoch * 1000).toISOString();
  const created = new Date(String(base.config.json['created']));
  return (Number.isNaN(created.getTime()) ? new Date(0) : created).toISOString();
}
