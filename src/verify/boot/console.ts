/** What one step of `guest/init.sh` did, as the guest told it. */
export interface GuestStep {
  /** Undefined when the guest never came to the end of the step. */
  readonly exitCode: number | undefined;
  /** `absent`, `live`, `coming`, `going`, or `built-in`: what sysfs said of the module afterwards. */
  readonly state: string;
  /** What the program printed. */
  readonly output: readonly string[];
  /** What the kernel said meanwhile, without time stamps; not what `initCalls` holds. */
  readonly kernel: readonly string[];
  readonly initCalls: readonly InitCall[];
}

/** The kernel's own account of calling the init function of a module. */
export interface InitCall {
  readonly module: string;
  /** What it returned: 0 or a negative error number; undefined when it never did. */
  readonly returned: number | undefined;
}

/** A console, read. Nothing in it is trusted: a guest may print whatever it likes. */
export interface GuestConsole {
  /** The guest went through all of its steps. */
  readonly isComplete: boolean;
  /** The guest came so far that it could begin with its steps. */
  readonly hasStarted: boolean;
  readonly kernelRelease: string | undefined;
  readonly lockdown: string | undefined;
  readonly isSignatureEnforced: boolean;
  readonly tainted: number | undefined;
  readonly loadedModules: readonly string[];
  /** By number, counted from 1. */
  readonly steps: ReadonlyMap<number, GuestStep>;
  /** All that the kernel said, without time stamps. */
  readonly kernelLog: readonly string[];
  /** All of it, without control characters. */
  readonly text: string;
}

/** What the guest prints last. */
export const LAST_WORDS = 'kmodlayer: done';

/** Longest console that is read; a boot that says everything prints some 100 KB. */
export const MAX_CONSOLE_BYTES = 16 * 1024 ** 2;
const MAX_LINE_LENGTH = 4096;

/** `[    1.234567] text`, on some kernels with the number of the task or processor after the time. */
const KERNEL_LINE = /^\[ {0,11}\d{1,12}\.\d{6}\](?:\[ {0,8}[TC]\d{1,8}\])? (.*)$/;
const OURS = 'kmodlayer: ';
const CALLING = /^calling {1,2}\S{1,512} \[([\w-]{1,64})\] @ \d+$/;
const RETURNED = /^initcall \S{1,512} \[([\w-]{1,64})\] returned (-?\d{1,9}) after \d+ usecs/;
/** With `initcall_debug` the kernel also counts how long devices take. */
const TIMING = /^(?:calling {1,2}\S+ @ \d+$|initcall \S+ returned |probe of \S+ returned |PM: Calling )/;

interface OpenStep {
  exitCode: number | undefined;
  state: string;
  readonly output: string[];
  readonly kernel: string[];
  readonly initCalls: { readonly module: string; returned: number | undefined }[];
}

/** Reads what came over the serial line of a guest that ran `guest/init.sh`. Takes any bytes. */
export function parseConsole(bytes: Uint8Array): GuestConsole {
  const text = cleanText(bytes);
  const facts = new Map<string, string>();
  const steps = new Map<number, OpenStep>();
  const loadedModules: string[] = [];
  const kernelLog: string[] = [];
  let current: OpenStep | undefined;

  for (const line of text.split('\n')) {
    const message = KERNEL_LINE.exec(line)?.[1];
    if (message === undefined) continue;
    if (!message.startsWith(OURS)) {
      const isTiming = current === undefined ? TIMING.test(message) : noteMessage(current, message);
      if (!isTiming) kernelLog.push(message);
      continue;
    }
    const [, word = '', rest = ''] = /^(\S+) ?(.*)$/.exec(message.slice(OURS.length)) ?? [];
    switch (word) {
      case 'begin': {
        current = { exitCode: undefined, state: 'absent', output: [], kernel: [], initCalls: [] };
        steps.set(Number(rest), current);
        break;
      }
      case 'output':
        current?.output.push(rest.replace(/^\d+ /, ''));
        break;
      case 'end': {
        const [, code, state = 'absent'] = rest.split(' ');
        if (current !== undefined) Object.assign(current, { exitCode: Number(code), state });
        current = undefined;
        break;
      }
      case 'lsmod':
        loadedModules.push(rest);
        break;
      default:
        facts.set(word, rest);
    }
  }
  const tainted = Number(facts.get('tainted') ?? Number.NaN);
  return {
    isComplete: facts.has('done'),
    hasStarted: facts.has('start'),
    kernelRelease: facts.get('release'),
    lockdown: /\[(\w+)\]/.exec(facts.get('lockdown') ?? '')?.[1],
    isSignatureEnforced: /^[Y1]/.test(facts.get('enforced') ?? ''),
    tainted: Number.isInteger(tainted) ? tainted : undefined,
    loadedModules,
    steps,
    kernelLog,
    text,
  };
}

/** Returns true for a message that says no more than that something was called. */
function noteMessage(step: OpenStep, message: string): boolean {
  const calling = CALLING.exec(message)?.[1];
  if (calling !== undefined) {
    step.initCalls.push({ module: calling, returned: undefined });
    return true;
  }
  const [, module, returned] = RETURNED.exec(message) ?? [];
  if (module !== undefined) {
    const call = step.initCalls.findLast((one) => one.module === module && one.returned === undefined);
    if (call === undefined) step.initCalls.push({ module, returned: Number(returned) });
    else call.returned = Number(returned);
    return true;
  }
  if (TIMING.test(message)) return true;
  step.kernel.push(message);
  return false;
}

/** Text as a person can print it: firmware paints with escape sequences, and lines end in `\r\n`. */
function cleanText(bytes: Uint8Array): string {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, MAX_CONSOLE_BYTES));
  return raw
    .toString('utf8')

    .replace(/\x1b(?:\[[0-9;?=]{0,32}[A-Za-z]|[()][A-Z0-9])/g, '')
    .replace(/\r+\n/g, '\n')

    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '')
    .split('\n')
    .map((line) => line.slice(0, MAX_LINE_LENGTH))
    .join('\n')
    .trim();
}
