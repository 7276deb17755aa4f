import type { KernelFacts } from '../kernel-facts.ts';
import { hasChangeOf, isRhel } from '../kernel-version.ts';
import type { Check, CheckDetail } from '../report.ts';
import { allOf, type Subject } from '../subject.ts';
import { countOf, resultsOf } from './check.ts';

/** Parameters that the loader itself takes for every module. */
const OF_ALL = ['dyndbg', 'async_probe'];

const NUMBER = /^([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;

/** The loader looks at the first letters only. */
const BOOLEANS = /^(?:[yYnN01]|[oO][nNfF])/;
const BOOLEANS_AND_WORDS = /^(?:[yYnN01tTfF]|[oO][nNfF])/;

/** Bits and sign of each type of number, as `modinfo` names the types. */
const NUMBERS: ReadonlyMap<string, { readonly bits: bigint; readonly isSigned: boolean }> = new Map([
  ['byte', { bits: 8n, isSigned: false }],
  ['short', { bits: 16n, isSigned: true }],
  ['ushort', { bits: 16n, isSigned: false }],
  ['int', { bits: 32n, isSigned: true }],
  ['uint', { bits: 32n, isSigned: false }],
  ['hexint', { bits: 32n, isSigned: false }],
  ['long', { bits: 64n, isSigned: true }],
  ['ulong', { bits: 64n, isSigned: false }],
  ['ullong', { bits: 64n, isSigned: false }],
]);

const MAX_TEXT_BYTES = 1024;

/**
 * Has the module the parameters that it is to be loaded with, and are the values what it takes? A parameter that it has
 * not is ignored with a line in the log; a value of the wrong type keeps it from loading.
 *
 * @see linux `kernel/params.c`
 */
export function checkParameters(
  subject: Subject,
  kernel: KernelFacts,
  parameters: Readonly<Record<string, string>> = {},
): Check | undefined {
  const { pass, warn, fail } = resultsOf('parameters');
  const given = Object.entries(parameters);
  if (given.length === 0) return undefined;
  const types = typesOf(subject);
  const booleans = takesWords(kernel) ? BOOLEANS_AND_WORDS : BOOLEANS;
  const unknown: CheckDetail[] = [];
  const wrong: CheckDetail[] = [];
  for (const [name, value] of given) {
    const plain = name.replaceAll('-', '_');
    const type = types.get(plain);
    if (type === undefined) {
      if (!OF_ALL.includes(plain))
        unknown.push({ subject: name, message: 'the module has no such parameter', found: value });
    } else if (!isValueOf(type, value, booleans)) {
      wrong.push({
        subject: name,
        message: 'the module does not take this value',
        wanted: type,
        found: value,
      });
    }
  }
  if (wrong.length > 0) {
    return fail(`it refuses to load with ${countOf(wrong.length, 'value')} of the wrong type`, {
      details: wrong,
    });
  }
  if (unknown.length > 0) {
    return warn(
      `it has not ${countOf(unknown.length, 'parameter')} that it is loaded with, which are ignored`,
      {
        details: unknown,
        hint: `It has: ${[...types.keys()].join(', ') || 'none'}.`,
      },
    );
  }
  return pass(`it has the ${countOf(given.length, 'parameter')} that it is loaded with`);
}

/** `true` and `false` are taken since Linux 5.17; whether a kernel of RHEL does is not sure. */
function takesWords(kernel: KernelFacts): boolean {
  return hasChangeOf(kernel, [5, 17]) && !isRhel(kernel);
}

/** Types of the parameters by name; empty where the module does not say. */
function typesOf(subject: Subject): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const key of ['parm', 'parmtype']) {
    for (const field of allOf(subject, key)) {
      const colon = field.indexOf(':');
      const name = (colon < 0 ? field : field.slice(0, colon)).replaceAll('-', '_');
      types.set(name, key === 'parmtype' && colon >= 0 ? field.slice(colon + 1) : '');
    }
  }
  return types;
}

/** True also for types that we do not know: drivers have their own. */
function isValueOf(type: string, value: string, booleans: RegExp): boolean {
  if (type.startsWith('array of ')) {
    return value.split(',').every((one) => isValueOf(type.slice('array of '.length), one, booleans));
  }
  const number = NUMBERS.get(type);
  if (number !== undefined) return isNumber(value, number);
  if (type === 'bool' || type === 'invbool') return booleans.test(value);
  if (type === 'charp') return Buffer.byteLength(value) <= MAX_TEXT_BYTES;
  return true;
}

function isNumber(
  text: string,
  { bits, isSigned }: { readonly bits: bigint; readonly isSigned: boolean },
): boolean {
  const [, sign = '', digits = ''] = NUMBER.exec(text) ?? [];
  if (digits === '' || (sign === '-' && !isSigned)) return false;
  const size = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const limit = isSigned ? 1n << (bits - 1n) : 1n << bits;
  return sign === '-' ? size <= limit : size < limit;
}
