import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Day1Options } from '../../../src/manifests/day1/options.ts';
import { makeVerifyScript } from '../../../src/manifests/day1/verify-script.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const OPTIONS: Day1Options = {
  name: '99-worker-ice',
  pool: 'worker',
  image: 'quay.io/acme/ice',
  firmware: '/firmware',
  module: 'ice',
  replaces: ['ice', 'irdma'],
};

/** The lines of facts, without what files are made of. */
function factsOf(script: string): readonly string[] {
  const [, rest = ''] = script.split("<<'FACTS'\n");
  const [facts = ''] = rest.split('\nFACTS\n');
  return facts.split('\n').map((line) => line.replace(/\t[0-9a-f]{64}$/, '\t(sha256)'));
}

describe('makeVerifyScript()', () => {
  it('names files, units, kernel arguments, modules and parameters of the MachineConfig', () => {
    expect(factsOf(makeVerifyScript({ ...OPTIONS, parameters: { debug: '0x10' } }))).toEqual([
      'file\t/usr/local/bin/99-worker-ice-day1.sh\t(sha256)',
      'mode\t/usr/local/bin/99-worker-ice-day1.sh\t755',
      'file\t/etc/kmodlayer/99-worker-ice-ice.conf\t(sha256)',
      'mode\t/etc/kmodlayer/99-worker-ice-ice.conf\t644',
      'unit\t99-worker-ice-ice-load.service\tenabled',
      'unit\t99-worker-ice-ice-pull.service\tenabled',
      'argument\tfirmware_class.path=/var/lib/firmware',
      'replaced\tirdma',
      'module\tice',
      'parameter\tice\tdebug=0x10',
      'driver\t/usr/local/bin/99-worker-ice-day1.sh\t/etc/kmodlayer/99-worker-ice-ice.conf',
    ]);
  });

  it('says of other loaders what can be said', () => {
    const workerImage = `quay.io/acme/worker@${DIGEST}`;
    const facts = factsOf(makeVerifyScript({ ...OPTIONS, loader: 'kmm', workerImage }));

    expect(facts).toContain('unit\tcrio-wipe.service\tmasked');
    expect(facts).toContain('module\tice');
    expect(facts.at(-1)).toMatch(/^note\t/);
  });

  it('expects no modules once they are removed', () => {
    const facts = factsOf(makeVerifyScript({ ...OPTIONS, remove: true }));

    expect(facts.filter((line) => /^(?:module|driver|replaced)\t/.test(line))).toEqual([]);
    expect(facts).toContain('unit\t99-worker-ice-ice-uninstall.service\tenabled');
  });

  it('fails on a machine that has nothing of it, and runs nothing that is in its words', () => {
    const script = makeVerifyScript({ ...OPTIONS, parameters: { label: '$(exit 3)' } });

    const { status, stdout } = spawnSync('bash', ['-s'], { input: script, encoding: 'utf8' });

    expect(status).toBe(1);
    expect(stdout).toContain('FAIL  /usr/local/bin/99-worker-ice-day1.sh is as it was rendered');
    expect(stdout).toContain('checks failed');
  });
});
