import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { findingsOf, machineConfig, withFile } from '../../support/lint.ts';

/** A config with each field that nodes may be given. */
const RESOURCE = {
  source: 'data:,a',
  compression: '',
  httpHeaders: [{ name: 'a', value: 'b' }],
  verification: { hash: `sha256-${'0'.repeat(64)}` },
};
const NODE = { path: '/etc/a', overwrite: true, user: { id: 0 }, group: { name: 'root' }, mode: 420 };
const CONFIG = {
  ignition: {
    version: '3.2.0',
    config: { merge: [RESOURCE], replace: RESOURCE },
    timeouts: { httpResponseHeaders: 1, httpTotal: 2 },
    security: { tls: { certificateAuthorities: [RESOURCE] } },
    proxy: { httpProxy: 'a', httpsProxy: 'b', noProxy: ['c'] },
  },
  storage: {
    files: [{ ...NODE, contents: RESOURCE, append: [RESOURCE] }],
    directories: [{ ...NODE, path: '/etc/b' }],
    links: [{ path: '/etc/c', target: '/a', hard: false, user: { name: 'root' } }],
  },
  systemd: {
    units: [
      {
        name: 'a.service',
        enabled: false,
        mask: false,
        contents: '[Unit]',
        dropins: [{ name: 'a.conf', contents: '' }],
      },
    ],
  },
  passwd: {
    users: [
      { name: 'core', passwordHash: 'x', sshAuthorizedKeys: ['a'], uid: 1, groups: ['wheel'], system: false },
    ],
    groups: [{ name: 'a', gid: 2 }],
  },
};

const schema = JSON.parse(readFileSync('fixtures/ignition/ignition-3.2.0.schema.json', 'utf8')) as Record<
  string,
  unknown
>;
delete schema['$schema'];
const isValid = new Ajv({ strict: false }).compile(schema);

function lint(config: unknown): readonly string[] {
  return findingsOf(machineConfig(`config: ${JSON.stringify(config)}`));
}

/** The config with another value in each place in turn. */
function variants(value: unknown, other: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [other];
  const entries = Object.entries(value);
  const inner = entries.flatMap(([key, item]) =>
    variants(item, other).map((one) => {
      const changed = { ...value, [key]: one };
      return Array.isArray(value) ? Object.values(changed) : changed;
    }),
  );
  return [other, ...inner];
}

describe('lintManifests() of the structure of Ignition configs', () => {
  it('finds nothing wrong with the structure of a config with everything in it', () => {
    expect(isValid(CONFIG)).toBe(true);
    expect(lint(CONFIG).filter((found) => found.startsWith('ignition-structure'))).toEqual([]);
  });

  it.each([[{ x: 1 }], [['x']], ['text'], [7], [true]])(
    'finds %j where the schema of Ignition does',
    (other) => {
      for (const config of variants(CONFIG, other).slice(1)) {
        const found = lint(config);
        if (!isValid(config))
          expect(
            found.filter((one) => one.includes(' error ')),
            JSON.stringify(config),
          ).not.toEqual([]);
        else expect(found.filter((one) => one.startsWith('ignition-structure error'))).toEqual([]);
      }
    },
  );

  it('names fields that there are not', () => {
    expect(findingsOf(withFile('filesystem: root'))).toEqual([
      'ignition-structure warning 10 spec.config.storage.files[0].filesystem',
    ]);
  });
});
