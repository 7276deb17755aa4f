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
  | { readonly type: 'compile-output'; readonly target: string; readonly line: string }
  /** What a program that signs says while it does. */
  | { readonly type: 'program-output'; readonly program: string; readonly line: string }
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string }
  | { readonly type: 'detail'; readonly message: string };

/** The stages of the pipeline, in their order. */
export type Stage = 'resolve' | 'plan' | 'compile' | 'sign' | 'layer' | 'verify' | 'push' | 'manifests';

/** Receives events. Must not throw. */
export type Report = (event: BuildEvent) => void;
