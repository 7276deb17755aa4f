/** Everything that a command says while it runs. Results are return values; events are for people who wait. */
export type BuildEvent =
  | {
      readonly type: 'stage-started';
      readonly target: string;
      readonly stage: Stage;
      readonly detail?: string;
    }
  | {
      readonly type: 'stage-finished';
      readonly target: string;
      readonly stage: Stage;
      readonly detail?: string;
      readonly ms: number;
    }
  /** A build knows what there is to do: units that are not begun yet. */
  | {
      readonly type: 'build-planned';
      readonly units: readonly { readonly unit: string; readonly kind: UnitKind }[];
    }
  | { readonly type: 'unit-started'; readonly unit: string; readonly kind: UnitKind }
  | {
      readonly type: 'unit-finished';
      readonly unit: string;
      readonly kind: UnitKind;
      readonly outcome: UnitOutcome;
      /** Since it was started; 0 when it never was. */
      readonly ms: number;
      /** Why it was not done. */
      readonly why?: string;
    }
  | {
      readonly type: 'request-retried';
      readonly url: string;
      readonly attempt: number;
      readonly why: string;
      readonly delayMs: number;
    }
  | {
      readonly type: 'transfer-planned';
      readonly what: string;
      readonly blobs: number;
      readonly sizeBytes: number;
    }
  | {
      readonly type: 'transfer-progress';
      readonly what: string;
      readonly doneBytes: number;
      readonly sizeBytes: number;
    }
  /** So many of the releases that are resolved together are done, or have failed. */
  | { readonly type: 'resolve-progress'; readonly done: number; readonly total: number }
  | { readonly type: 'compile-output'; readonly target: string; readonly line: string }
  /** What a program that signs says while it does. */
  | { readonly type: 'program-output'; readonly program: string; readonly line: string }
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string }
  | { readonly type: 'detail'; readonly message: string };

/** The stages of the pipeline, in their order. */
export type Stage = 'resolve' | 'plan' | 'compile' | 'sign' | 'layer' | 'verify' | 'push' | 'manifests';

/** What a build works on: a driver for a kernel, or an image. */
export type UnitKind = 'compile' | 'image' | 'kmod-image';

/**
 * How a unit ended: `kept` was done before; `blocked` needs one that failed; `not-begun` is what a build leaves after a
 * failure, unless it is to keep going.
 */
export type UnitOutcome = 'done' | 'kept' | 'failed' | 'blocked' | 'not-begun';

/** Receives events. Must not throw. */
export type Report = (event: BuildEvent) => void;
