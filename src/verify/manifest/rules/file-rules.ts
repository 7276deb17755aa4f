import { createHash } from 'node:crypto';
import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { FileEntry, MachineConfig } from '../machine-config.ts';
import type { ManifestSet } from '../rule.ts';
import { isMapping, mappingOf, textOf } from '../values.ts';

/** Rules on what files hold, and where it comes from. */
export function fileRules({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    for (const file of config.files) {
      contents(file, report);
      verification(file, report);
      owner(file, report);
      secret(file, report);
    }
    worldWritableProgram(config, report);
  }
}

function contents({ at, value, content }: FileEntry, report: Report): void {
  if (value['append'] !== undefined && !(Array.isArray(value['append']) && value['append'].length === 0)) {
    report({
      rule: 'file-append',
      severity: 'error',
      path: [...at, 'append'],
      message: 'append is not supported in MachineConfigs: the pool degrades',
      hint: 'Write the whole file, or a file of its own in a directory such as /etc/sysctl.d.',
    });
  }
  const said = mappingOf(value['contents']);
  const source = [...at, 'contents', 'source'];
  const compression = said['compression'];
  if (compression !== undefined && compression !== null && compression !== '' && compression !== 'gzip') {
    report({
      rule: 'compression-unknown',
      severity: 'error',
      path: [...at, 'contents', 'compression'],
      message: 'the compression is none that nodes know: the config is refused',
      hint: 'Write gzip, or leave it out.',
    });
  }
  const read = content();
  switch (read.kind) {
    case 'remote':
      report({
        rule: 'source-remote',
        severity: 'error',
        path: source,
        message: `the contents are at a URL (${read.scheme}:), and nodes that run fetch nothing: only data URLs can be read, and the pool degrades`,
        hint: 'Put the contents here: data:;base64,... .',
      });
      return;
    case 'invalid':
      report({
        rule: 'data-url-invalid',
        severity: 'error',
        path: source,
        message: `the data URL cannot be read, ${read.why}: the config is refused, and the pool degrades`,
        hint: 'Write "data:;base64," and the output of base64 -w0.',
      });
      return;
    case 'not-gzip':
      report({
        rule: 'gzip-invalid',
        severity: 'error',
        path: source,
        message: 'compression is gzip, and the contents are not: nodes cannot unpack them',
        hint: 'Pack them with gzip -n before base64, or leave compression out.',
      });
      return;
    case 'too-large':
      report({
        rule: 'contents-large',
        severity: 'warning',
        path: source,
        message: 'the contents unpack to more than 8 MiB, and were not looked at any further',
        hint: 'Ship large files in an image.',
      });
      return;
    case 'none':
      if (value['overwrite'] === true) {
        report({
          rule: 'overwrite-nothing',
          severity: 'error',
          path: [...at, 'overwrite'],
          message: 'overwrite is true and there are no contents to overwrite with: the config is refused',
          hint: 'Add contents (source: "data:," for an empty file), or leave overwrite out.',
        });
      }
      return;
    case 'bytes':
  }
}

function verification({ at, value, content }: FileEntry, report: Report): void {
  const hash = mappingOf(mappingOf(value['contents'])['verification'])['hash'];
  if (hash === undefined || hash === null) return;
  const say = (message: string, hint: string): void => {
    report({
      rule: 'verification-hash',
      severity: 'error',
      path: [...at, 'contents', 'verification', 'hash'],
      message,
      hint,
    });
  };
  const match = /^(sha256|sha512)-([0-9a-f]+)$/.exec(typeof hash === 'string' ? hash : '');
  const kind = match?.[1] ?? '';
  const digits = match?.[2] ?? '';
  if (digits.length !== (kind === 'sha512' ? 128 : 64)) {
    say('the hash is none: the config is refused', 'Write sha256- and 64 hex digits, or sha512- and 128.');
    return;
  }
  const read = content();
  if (read.kind !== 'bytes') return;
  const actual = createHash(kind).update(read.bytes).digest('hex');
  if (actual !== digits)
    say(
      `the contents have the ${kind} ${actual.slice(0, 12)}... once they are unpacked, and not ${digits.slice(0, 12)}...: nodes refuse the file`,
      'The hash is that of the contents before gzip; take it again.',
    );
}

function owner({ at, value }: FileEntry, report: Report): void {
  for (const key of ['user', 'group']) {
    const said = value[key];
    if (
      !isMapping(said) ||
      said['id'] === undefined ||
      said['id'] === null ||
      textOf(said['name']) === undefined
    )
      continue;
    report({
      rule: 'owner-twice',
      severity: 'error',
      path: [...at, key],
      message: `the ${key} has an id and a name: "cannot set both id and name"`,
      hint: 'Keep one of them.',
    });
  }
}

const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/;

function secret({ at, content }: FileEntry, report: Report): void {
  const read = content();
  if (read.kind !== 'bytes' || read.bytes.length > 512 * 1024) return;
  // Most files are neither, and need not become text for it.
  if (!read.bytes.includes('PRIVATE KEY-----') && !read.bytes.includes('"auths"')) return;
  const text = read.bytes.toString('latin1');
  const what = PRIVATE_KEY.test(text)
    ? 'a private key'
    : /"auths"\s*:/.test(text) && /"auth"\s*:/.test(text)
      ? 'credentials of registries'
      : undefined;
  if (what === undefined) return;
  report({
    rule: 'secret-in-config',
    severity: 'warning',
    path: [...at, 'contents'],
    message: `the file holds ${what}: whoever may read MachineConfigs reads it, nodes hand it out when they join, and must-gather takes it along`,
    hint: 'Keep it in a Secret; registries that nodes pull from belong into openshift-config/pull-secret.',
  });
}

/** Programs that anybody may change, and that root runs. */
function worldWritableProgram({ files, units }: MachineConfig, report: Report): void {
  for (const { at, value, path } of files) {
    const { mode } = value;
    if (typeof mode !== 'number' || mode > 0o777 || (mode & 0o002) === 0 || path === '') continue;
    const unit = units.find(({ parsed }) =>
      parsed()?.options.some(({ name, value: words }) => name.startsWith('Exec') && words.includes(path)),
    );
    if (unit === undefined) continue;
    report({
      rule: 'script-world-writable',
      severity: 'error',
      path: [...at, 'mode'],
      message: `${path} can be changed by every process of the node, and ${unit.name} runs it as root: whoever breaks out of a container owns the node at the next boot`,
      hint: 'Write 493, which is 0755.',
    });
  }
}
