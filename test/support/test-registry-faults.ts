import type { IncomingMessage } from 'node:http';

/** What goes wrong with a request. */
export type FaultAction =
  /** Answers this instead of doing what was asked. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Announces the whole body, sends this many bytes of it and closes the connection. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Sends a body with one bit flipped. */
  | { readonly kind: 'corrupt' }
  /** Answers later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Closes the connection without an answer, after this many bytes of the request's body. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** Does what was asked, then closes the connection without an answer. */
  | { readonly kind: 'lose-answer' }
  /** Answers a Range request with the whole blob. */
  | { readonly kind: 'ignore-range' }
  /** Answers 206 with another range than was asked for. */
  | { readonly kind: 'wrong-range' }
  /** Sends the body without saying how long it is. */
  | { readonly kind: 'no-length' }
  /** Answers a mount with an upload session. */
  | { readonly kind: 'refuse-mount' }
  /** Sends the client to another origin for the body. */
  | { readonly kind: 'redirect'; readonly status: 302 | 307 | 308; readonly to: string };

export interface Fault {
  readonly method?: string;
  readonly path?: RegExp;
  /** How many matching requests are hit; all of them when absent. */
  readonly times?: number;
  readonly action: FaultAction;
}

/** Faults that wait for their requests. */
export class FaultQueue {
  readonly #waiting: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#waiting.push({ fault, left: fault.times ?? Infinity });
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  /** The action for this request, used up by being taken. */
  take(request: IncomingMessage): FaultAction | undefined {
    const found = this.#waiting.find(
      ({ fault, left }) =>
        left > 0 &&
        (fault.method === undefined || fault.method === request.method) &&
        (fault.path === undefined || fault.path.test(request.url ?? '')),
    );
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault.action;
  }
}
