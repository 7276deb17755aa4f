import type { SpecProblem } from '../errors.ts';
import { formatPath, type DocumentPath, type SpecDocument } from './document.ts';
import { moduleNameOfPath } from './module-name.ts';
import { findNearest } from './nearest.ts';
import { problemAt } from './problems.ts';

/**
 * What no single value shows: keys that exclude each other, names that come twice or are nowhere. It reads the raw
 * document, so that these problems are shown together with those of the values.
 */
export function crossCheck(document: SpecDocument): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  const report: Reporter = (path, message, hint) => {
    problems.push(problemAt(document, path, { message, hint }));
  };
  const set = record(document.value);
  checkReleases(record(set['targets']), report);
  checkTwice(list(record(set['rollout'])['pools']), ['rollout', 'pools'], report);
  checkDrivers(list(set['drivers']), report);
  checkDay1(set, report);
  checkSigning(set['sign'], report);
  checkThrowAway(set, report);
  return problems;
}

type Reporter = (path: DocumentPath, message: string, hint: string) => void;

interface Place {
  readonly path: DocumentPath;
  readonly report: Reporter;
}

/** What goes with which kind of signer. */
const SIGNER_KEYS = {
  file: ['passphrase'],
  pkcs11: ['library', 'pin'],
  command: ['input', 'timeoutSeconds'],
} as const;

const SIGNER_WORDS = { file: 'a key file', pkcs11: 'a key in a token ("pkcs11:...")', command: '"command"' };

function checkSigning(sign: unknown, report: Reporter): void {
  const certificates = list(sign).map((signer) => record(signer)['certificate']);
  checkTwice(certificates, ['sign'], report);
  list(sign).forEach((entry, index) => {
    const path = ['sign', index];
    const signer = record(entry);
    checkOneOf(entry, ['key', 'command'], { path, report });
    for (const name of ['passphrase', 'pin']) {
      checkOneOf(signer[name], ['env', 'file'], { path: [...path, name], report });
    }
    if (list(signer['command'])[0] === '') {
      report([...path, 'command', 0], '"command[0]" names no program', 'Write its name or its path.');
    }
    const kind = signerKind(signer);
    if (kind === undefined) return;
    for (const [other, keys] of Object.entries(SIGNER_KEYS)) {
      for (const key of keys) {
        if (other === kind || signer[key] === undefined) continue;
        const owner = SIGNER_WORDS[other as keyof typeof SIGNER_WORDS];
        report([...path, key], `${quote(key)} goes with ${owner}`, 'Leave it out.');
      }
    }
  });
}

function checkThrowAway({ sign, publish }: Readonly<Record<string, unknown>>, report: Reporter): void {
  if (sign !== 'throw-away') return;
  const { osImage, kmodImage } = record(publish);
  const places = [
    { path: ['publish', 'osImage'], image: osImage },
    { path: ['publish', 'kmodImage'], image: record(kmodImage)['repository'] ?? kmodImage },
  ];
  for (const { path, image } of places) {
    if (typeof image !== 'string' || /^oci(?:-archive)?:/.test(image)) continue;
    report(
      path,
      'What is signed with a key that is thrown away cannot be published',
      'Write "oci:DIRECTORY", or leave "sign" as it is and build with --throw-away-key.',
    );
  }
}

function checkDay1(set: Readonly<Record<string, unknown>>, report: Reporter): void {
  const path = ['rollout', 'day1'];
  const day1 = list(record(set['rollout'])['day1']);
  checkTwice(day1, path, report);
  const known = list(set['drivers']).map((driver) => record(driver)['name']);
  day1.forEach((name, index) => {
    if (typeof name === 'string' && !known.includes(name)) {
      const nearest = findNearest(
        name,
        known.filter((one) => typeof one === 'string'),
      );
      report(
        [...path, index],
        `No driver of this set is ${quote(name)}`,
        nearest === undefined ? 'Name one of "drivers".' : `Did you mean ${quote(nearest)}?`,
      );
    }
  });
  list(set['drivers']).forEach((driver, index) => {
    if (!day1.includes(record(driver)['name'])) return;
    list(record(driver)['modules']).forEach((module, at) => {
      if (record(module)['initramfs'] !== true) return;
      report(
        ['drivers', index, 'modules', at, 'initramfs'],
        'A driver of Day 1 is in no OS image, and so not in its initramfs',
        'Leave "initramfs" out, or the driver out of "rollout.day1".',
      );
    });
  });
  if (day1.length > 0 && record(set['publish'])['kmodImage'] === undefined) {
    report(
      path,
      'Day 1 units have no image to pull',
      'Say under "publish.kmodImage" which repository has the kmod images.',
    );
  }
}

function signerKind(signer: Readonly<Record<string, unknown>>): keyof typeof SIGNER_KEYS | undefined {
  const { key, command } = signer;
  if (command !== undefined) return key === undefined ? 'command' : undefined;
  if (typeof key !== 'string') return undefined;
  return /^pkcs11:/i.test(key) ? 'pkcs11' : 'file';
}

function checkReleases(targets: Readonly<Record<string, unknown>>, report: Reporter): void {
  const path = ['targets', 'releases'];
  const releases = list(targets['releases']);
  checkTwice(releases, path, report);
  const excluded = list(targets['exclude']).map((entry) => record(entry)['release']);
  if (releases.length > 0 && releases.every((release) => excluded.includes(release))) {
    report(path, 'All releases are excluded', 'Leave at least one.');
  }
  list(targets['exclude']).forEach((entry, index) => {
    checkOneOf(entry, ['release', 'kernel'], { path: ['targets', 'exclude', index], report });
  });
  const minors = list(targets['ceiling']).map((entry) => record(entry)['minor']);
  list(targets['ceiling']).forEach((entry, index) => {
    const at = ['targets', 'ceiling', index];
    const { minor, release } = record(entry);
    if (typeof minor !== 'string') return;
    if (minors.indexOf(minor) < index) {
      report([...at, 'minor'], `Minor ${quote(minor)} has two ceilings`, 'Keep one of them.');
    }
    if (typeof release === 'string' && !release.startsWith(`${minor}.`)) {
      report(
        [...at, 'release'],
        `${quote(release)} is no release of ${minor}`,
        `Name a release of ${minor}.`,
      );
    }
  });
}

function checkDrivers(drivers: readonly unknown[], report: Reporter): void {
  const driverNames = drivers.map((driver) => record(driver)['name']);
  const owners = new Map<string, string>();
  drivers.forEach((driver, index) => {
    const path = ['drivers', index];
    const name = driverNames[index];
    if (typeof name === 'string' && driverNames.indexOf(name) < index) {
      report(
        [...path, 'name'],
        `Driver ${quote(name)} is there twice`,
        'Give each driver a name of its own.',
      );
    }
    checkModules(list(record(driver)['modules']), { path, report }, { owners, driver: quote(name) });
    checkSource(record(driver), { path, report });
  });
  drivers.forEach((driver, index) => {
    checkSoftdeps(list(record(driver)['softdeps']), [...owners.keys()], {
      path: ['drivers', index, 'softdeps'],
      report,
    });
  });
}

function checkModules(
  modules: readonly unknown[],
  { path, report }: Place,
  { owners, driver }: { readonly owners: Map<string, string>; readonly driver: string },
): void {
  modules.forEach((module, index) => {
    const name = moduleName(record(module)['name']);
    if (name === undefined) return;
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, driver);
    else {
      report(
        [...path, 'modules', index, 'name'],
        `Module ${quote(name)} is there twice: driver ${owner} has it already`,
        'A node has one module of a name; "-" and "_" are the same in it.',
      );
    }
  });
}

function checkSource(driver: Readonly<Record<string, unknown>>, { path, report }: Place): void {
  checkOneOf(driver['source'], ['directory', 'git', 'files'], { path: [...path, 'source'], report });
  const files = record(driver['source'])['files'];
  if (files === undefined) {
    if (driver['build'] !== undefined) checkBuild(driver['build'], { path: [...path, 'build'], report });
    return;
  }
  if (driver['build'] !== undefined) {
    report([...path, 'build'], 'There is nothing to build: the source is "files"', 'Leave "build" out.');
  }
  const provided = list(files).map((file) => (typeof file === 'string' ? moduleNameOfPath(file) : ''));
  list(driver['modules']).forEach((module, index) => {
    const name = moduleName(record(module)['name']);
    if (name === undefined || provided.includes(name)) return;
    report(
      [...path, 'modules', index, 'name'],
      `No file of the source is module ${quote(name)}`,
      `Add "${name}.ko" to "source.files".`,
    );
  });
}

function checkBuild(build: unknown, { path, report }: Place): void {
  checkOneOf(build, ['run', 'containerfile'], { path, report });
  const { run, containerfile, workdir, stage, secrets } = record(build);
  if (workdir !== undefined && run === undefined) {
    report([...path, 'workdir'], '"workdir" goes with "run"', 'Set the directory in the Containerfile.');
  }
  if (stage !== undefined && containerfile === undefined) {
    report([...path, 'stage'], '"stage" goes with "containerfile"', 'Leave "stage" out.');
  }
  const ids = list(secrets).map((secret) => record(secret)['id']);
  ids.forEach((id, index) => {
    if (typeof id === 'string' && ids.indexOf(id) < index) {
      report([...path, 'secrets', index, 'id'], `Secret ${quote(id)} is there twice`, 'Give it another id.');
    }
  });
}

function checkSoftdeps(
  softdeps: readonly unknown[],
  modules: readonly string[],
  { path, report }: Place,
): void {
  softdeps.forEach((softdep, index) => {
    const { module, pre, post } = record(softdep);
    const name = moduleName(module);
    if (name !== undefined && !modules.includes(name)) {
      const nearest = findNearest(name, modules);
      report(
        [...path, index, 'module'],
        `No driver of this set has module ${quote(name)}`,
        nearest === undefined ? 'Add it to "modules" of its driver.' : `Did you mean ${quote(nearest)}?`,
      );
    }
    if (list(pre).length === 0 && list(post).length === 0) {
      report(
        [...path, index],
        'This soft dependency names no modules',
        'List modules under "pre" or "post".',
      );
    }
  });
}

/** Unknown keys are problems of their own; an object that has one may have meant it as the key that is missing. */
function checkOneOf(value: unknown, keys: readonly string[], { path, report }: Place): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const present = keys.filter((key) => Object.hasOwn(value, key));
  const what = quote(typeof path.at(-1) === 'number' ? formatPath(path.slice(-2)) : path.at(-1));
  const choice = keys
    .map(quote)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
  if (present.length > 1) {
    report(path, `${what} has ${present.map(quote).join(' and ')}`, `Keep exactly one of ${choice}.`);
  }
  const hasOther = Object.keys(value).some((key) => !COMPANIONS.has(key) && !keys.includes(key));
  if (present.length === 0 && !hasOther) report(path, `${what} has no ${choice}`, 'Add one of them.');
}

/** Keys that stand beside one of a choice, and are none of it. */
const COMPANIONS = new Set([
  ...['args', 'secrets', 'workdir', 'stage', 'output'],
  'because',
  ...['certificate', 'hash', ...Object.values(SIGNER_KEYS).flat()],
]);

function checkTwice(items: readonly unknown[], path: DocumentPath, report: Reporter): void {
  items.forEach((item, index) => {
    if (typeof item === 'string' && items.indexOf(item) < index) {
      report([...path, index], `${quote(item)} is there twice`, 'Keep one of them.');
    }
  });
}

function moduleName(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replaceAll('-', '_') : undefined;
}

function quote(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : String(value));
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
