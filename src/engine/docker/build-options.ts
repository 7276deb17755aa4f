import { SpecError } from '../../errors.ts';

/** What of the arguments of `build` an API takes, by the names that it has for them. */
export interface ApiBuildOptions {
  readonly networkmode?: string;
  readonly extrahosts?: string;
  readonly memory?: number;
  readonly shmsize?: number;
  readonly cpusetcpus?: string;
  readonly ulimits?: string;
  /** Of podman alone. */
  readonly isolation?: string;
}

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Arguments of `podman build` as options of an API. `--isolation` is for podman's; Docker has nothing like it.
 *
 * @throws {SpecError} `USAGE` for an argument that an API does not have.
 */
export function makeApiBuildOptions(args: readonly string[]): ApiBuildOptions {
  const options: Record<string, string | number> = {};
  const hosts: string[] = [];
  const limits: unknown[] = [];
  for (const [name, value] of pairsOf(args)) {
    if (name === '--isolation') options['isolation'] = value;
    else if (name === '--network') options['networkmode'] = value;
    else if (name === '--add-host') hosts.push(value);
    else if (name === '--memory') options['memory'] = bytesOf(name, value);
    else if (name === '--shm-size') options['shmsize'] = bytesOf(name, value);
    else if (name === '--cpuset-cpus') options['cpusetcpus'] = value;
    else if (name === '--ulimit') limits.push(limitOf(value));
    else throw unusable(name, 'the API of an engine has no such option');
  }
  return {
    ...options,
    ...(hosts.length === 0 ? {} : { extrahosts: JSON.stringify(hosts) }),
    ...(limits.length === 0 ? {} : { ulimits: JSON.stringify(limits) }),
  };
}

function pairsOf(args: readonly string[]): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    const equals = word.indexOf('=');
    if (equals > 0) pairs.push([word.slice(0, equals), word.slice(equals + 1)]);
    else pairs.push([word, args[++at] ?? '']);
  }
  return pairs;
}

function bytesOf(name: string, value: string): number {
  const [, number, unit = 'b'] = /^([0-9]{1,12})([bkmg])?$/i.exec(value) ?? [];
  if (number === undefined) throw unusable(`${name}=${value}`, 'it is no size');
  return Number(number) * (UNITS[unit.toLowerCase()] ?? 1);
}

function limitOf(value: string): unknown {
  const [, name, soft, hard] = /^([a-z]+)=(-?[0-9]{1,15})(?::(-?[0-9]{1,15}))?$/.exec(value) ?? [];
  if (name === undefined) throw unusable(`--ulimit=${value}`, 'it is no limit');
  return { Name: name, Soft: Number(soft), Hard: Number(hard ?? soft) };
}

function unusable(argument: string, why: string): SpecError {
  return new SpecError('USAGE', `Cannot pass ${JSON.stringify(argument.slice(0, 100))} on: ${why}`, {
    hint: 'KMODLAYER_BUILD_ARGS of an API may hold --network, --add-host, --memory, --shm-size, --cpuset-cpus and --ulimit.',
  });
}
