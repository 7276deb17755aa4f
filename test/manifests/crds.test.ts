import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { celRule } from '../support/cel.ts';
import { crdCheck, crdRules } from '../support/crd.ts';

const definitions = readdirSync('fixtures/crds')
  .filter((name) => name.endsWith('.yaml'))
  .map((file) => {
    const { spec } = parse(readFileSync(`fixtures/crds/${file}`, 'utf8')) as {
      spec: { versions: readonly { name: string }[] };
    };
    return { file, version: spec.versions[0]?.name ?? '' };
  });

describe('Rules of the definitions', () => {
  it.each(definitions)('of $file can all be evaluated', ({ file, version }) => {
    expect(() => crdCheck(file, version)).not.toThrow();
  });

  it('are evaluated as they are listed in fixtures/crds/rules.txt: npx vitest run test/manifests/crds.test.ts -u', async () => {
    const lines = definitions.flatMap(({ file, version }) => {
      const { evaluated, transitions } = crdRules(file, version);
      return [
        `${file} ${version}: ${evaluated.length} evaluated, ${transitions.length} over changes`,
        ...evaluated.map((rule) => `  ${rule}`),
        ...transitions.map((rule) => `  over changes: ${rule}`),
      ];
    });

    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('../../fixtures/crds/rules.txt');
  });

  it('that use what the evaluator does not know are never taken to hold', () => {
    expect(() => celRule({ rule: 'isURL(self)' })).toThrow('Cannot evaluate isURL(self)');
    expect(() => celRule({ rule: 'self +' })).toThrow();
    expect(() => celRule({ rule: 'size(self)' })([])).toThrow('gave 0');
  });

  it('tell what breaks them', () => {
    const policy = (entry: object): object => ({
      apiVersion: 'operator.openshift.io/v1',
      kind: 'MachineConfiguration',
      metadata: { name: 'cluster' },
      spec: { nodeDisruptionPolicy: { units: [entry] } },
    });
    const check = crdCheck('machineconfigurations.yaml', 'v1');

    expect(check(policy({ name: 'a.service', actions: [{ type: 'None' }] }))).toEqual([]);
    const wrong = [
      { name: 'a', actions: [{ type: 'None' }] },
      { name: 'a.service', actions: [{ type: 'None' }, { type: 'Drain' }] },
      { name: 'a.service', actions: [{ type: 'Restart' }] },
      { name: 'a.service', actions: [{ type: 'None', reload: { serviceName: 'b.service' } }] },
    ];
    for (const entry of wrong) expect(check(policy(entry))).not.toEqual([]);
  });

  it('tell a key of a list that is there twice', () => {
    const check = crdCheck('pinnedimagesets.yaml', 'v1');
    const name = `quay.io/a/b@sha256:${'a'.repeat(64)}`;

    const set = { metadata: {}, spec: { pinnedImages: [{ name }, { name }] } };
    expect(check(set)).toEqual([expect.stringContaining('twice')]);
  });
});
