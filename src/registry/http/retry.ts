import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from '../../events.ts';
import { ConnectionError, describeConnectionError } from './connection-error.ts';
import { discard, type HttpRequest, type HttpResponse, type Send, shownUrl } from './message.ts';

export interface RetryPolicy {
  /** How often a request is tried in all. */
  readonly attempts: number;
  /** Wait before the second attempt; it doubles with each further one, less up to half of it by chance. */
  readonly firstDelayMs: number;
  /** Longest wait, whatever the server asks for. */
  readonly maxDelayMs: number;
  readonly sleep: Sleep;
  readonly report: Report;
}

/** Waits; rejects with the signal's reason when that is aborted. */
export type Sleep = (ms: number, signal: AbortSignal | undefined) => Promise<void>;

/** What most requests are tried with: about ten seconds in all, when the server asks for no more. */
export const DEFAULT_RETRY: Omit<RetryPolicy, 'report'> = {
  attempts: 5,
  firstDelayMs: 500,
  maxDelayMs: 60_000,
  sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }),
};

/** Statuses that pass: overload, a restart, a proxy without a server behind it. */
const TRANSIENT = new Set([408, 425, 429, 499, 500, 502, 503, 504, 522]);

/** Says whether the same request may be answered better a little later. */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT.has(status);
}

/** Tries again on transient statuses and on connections that fail; callers see the last answer only. */
export function withRetry(next: Send, policy: RetryPolicy): Send {
  return (request) => retrying(request, () => next(request), policy);
}

/**
 * Runs something that ends in an answer, and runs it again from its start while the answer is transient.
 *
 * @param isTransient Says which answers to try again; `isTransientStatus` of the status when absent.
 */
export async function retrying(
  request: Pick<HttpRequest, 'url' | 'signal'>,
  run: (attempt: number) => Promise<HttpResponse>,
  policy: RetryPolicy,
  isTransient = ({ status }: HttpResponse): boolean => isTransientStatus(status),
): Promise<HttpResponse> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt >= policy.attempts;
    let why: string;
    let askedMs: number | undefined;
    try {
      const response = await run(attempt);
      if (isLast || !isTransient(response)) return response;
      why = `the answer was ${response.status}`;
      askedMs = retryAfterMs(response.header('retry-after'), Date.now());
      discard(response);
    } catch (error) {
      if (isLast || !(error instanceof ConnectionError) || !error.isTransient) throw error;
      why = describeConnectionError(error);
    }
    await pause(policy, { request, attempt, why, askedMs });
  }
}

interface Pause {
  readonly request: Pick<HttpRequest, 'url' | 'signal'>;
  readonly attempt: number;
  readonly why: string;
  readonly askedMs?: number | undefined;
}

/** Waits before the next attempt, and says so. */
export async function pause(policy: RetryPolicy, { request, attempt, why, askedMs }: Pause): Promise<void> {
  const ownMs = policy.firstDelayMs * 2 ** (attempt - 1) * (1 - Math.random() / 2);
  const delayMs = Math.round(Math.min(askedMs ?? ownMs, policy.maxDelayMs));
  policy.report({ type: 'request-retried', url: shownUrl(request.url), attempt, why, delayMs });
  await policy.sleep(delayMs, request.signal);
  request.signal?.throwIfAborted();
}

/** The wait that a `Retry-After` header asks for: seconds or a date; undefined when it says nothing usable. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/[a-z]{3}/i.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
