import type { SpecProblem } from '../errors.ts';
import { checkSource } from './check-source.ts';
import { checkDependencies } from './check-dependencies.ts';
import type { SpecDocument } from './document.ts';
import { findNearest } from './nearest.ts';
import { problemAt } from './problems.ts';
import {
  checkOneOf,
  checkTwice,
  list,
  moduleName,
  type Place,
  quote,
  record,
  type Reporter,
  SIGNER_KEYS,
} from './raw-checks.ts';

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
  checkDependencies(list(set['drivers']), report);
  checkDay1(set, report);
  checkSigning(set['sign'], report);
  checkThrowAway(set, report);
  return problems;
}

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
