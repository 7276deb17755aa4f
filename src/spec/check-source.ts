import { moduleNameOfPath } from './module-name.ts';
import { checkOneOf, checkTwice, list, moduleName, type Place, quote, record } from './raw-checks.ts';
import { PREBUILT_SOURCES, SELF_BUILDING_SOURCES, SOURCE_TREES, SOURCES } from './source-kinds.ts';

/** The source and the build of a driver: keys that exclude each other. */
export function checkSource(driver: Readonly<Record<string, unknown>>, { path, report }: Place): void {
  const sourcePath = [...path, 'source'];
  checkOneOf(driver['source'], SOURCES, { path: sourcePath, report });
  const source = record(driver['source']);
  checkTree(source, { path: sourcePath, report });
  if (source['dkms'] !== undefined) {
    checkOneOf(source['dkms'], SOURCE_TREES, { path: [...sourcePath, 'dkms'], report });
    checkTree(record(source['dkms']), { path: [...sourcePath, 'dkms'], report });
  }
  checkOneOf(source['srpm'], ['url', 'file'], { path: [...sourcePath, 'srpm'], report });
  checkRpm(source['rpm'], { path: [...sourcePath, 'rpm'], report });
  const kind = SOURCES.find((key) => source[key] !== undefined) ?? '';
  const { build } = driver;
  if (build !== undefined && PREBUILT_SOURCES.includes(kind)) {
    report(
      [...path, 'build'],
      `There is nothing to build: the source is ${quote(kind)}`,
      'Leave "build" out.',
    );
  } else if (build !== undefined) checkBuild(build, kind, { path: [...path, 'build'], report });
  if (source['files'] !== undefined) checkFiles(driver, source['files'], { path, report });
}

/** Of several packages, each says which kernel it is for. */
function checkRpm(rpm: unknown, { path, report }: Place): void {
  const packages = list(rpm);
  if (packages.length === 0) checkOneOf(rpm, ['url', 'file'], { path, report });
  const kernels = packages.map((entry) => record(entry)['kernel']);
  packages.forEach((entry, index) => {
    const at = [...path, index];
    checkOneOf(entry, ['url', 'file'], { path: at, report });
    if (kernels[index] === undefined && packages.length > 1) {
      report(at, 'This package does not say which kernel it is for', 'Add "kernel: 5.14.0-...".');
    }
  });
  checkTwice(kernels, path, report);
}

/** An archive has a place. */
function checkTree(source: Readonly<Record<string, unknown>>, { path, report }: Place): void {
  checkOneOf(source['archive'], ['url', 'file'], { path: [...path, 'archive'], report });
}

function checkFiles(
  driver: Readonly<Record<string, unknown>>,
  files: unknown,
  { path, report }: Place,
): void {
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

function checkBuild(build: unknown, kind: string, { path, report }: Place): void {
  const { run, containerfile, workdir, stage, output, secrets } = record(build);
  if (SELF_BUILDING_SOURCES.includes(kind)) {
    const others = { run, containerfile, stage, output, ...(kind === 'module' ? { workdir } : {}) };
    for (const [key, value] of Object.entries(others)) {
      if (value === undefined) continue;
      report([...path, key], `${quote(key)} does not go with a source of ${quote(kind)}`, 'Leave it out.');
    }
  } else checkOneOf(build, ['run', 'containerfile'], { path, report });
  if (workdir !== undefined && containerfile !== undefined) {
    report([...path, 'workdir'], '"workdir" goes with "run"', 'Set the directory in the Containerfile.');
  }
  if (stage !== undefined && run !== undefined) {
    report([...path, 'stage'], '"stage" goes with "containerfile"', 'Leave "stage" out.');
  }
  const ids = list(secrets).map((secret) => record(secret)['id']);
  ids.forEach((id, index) => {
    if (typeof id === 'string' && ids.indexOf(id) < index) {
      report([...path, 'secrets', index, 'id'], `Secret ${quote(id)} is there twice`, 'Give it another id.');
    }
  });
}
