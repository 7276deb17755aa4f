import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { reportOf } from '../../support/lint.ts';

/** Values where something else is wanted. */
const ANY = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    0.5,
    644,
    '',
    ' ',
    '%',
    'data:',
    'a@b.service',
    '[Unit]\nA=\\',
    '/',
    '../..',
    'sha256-',
  ),
  fc.string({ maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
);

const KEYS = [
  'osImageURL kernelArguments extensions kernelType config storage files path mode contents source compression',
  'verification hash append user group systemd units name enabled mask dropins passwd users ignition version',
  'machineConfigSelector matchLabels matchExpressions nodeDisruptionPolicy actions type pinnedImages moduleLoader',
  'container kernelMappings regexp sign filesToSign modprobe tolerations dra devicePlugin volumes containerFile content',
  'machineConfigName kernelModuleImage kernelVersion osImageStream directories links disks sshkey',
].flatMap((line) => line.split(' '));

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    ANY,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 5 }),
  ),
}));

const KINDS = [
  ['MachineConfig', 'machineconfiguration.openshift.io/v1'],
  ['MachineConfigPool', 'machineconfiguration.openshift.io/v1'],
  ['MachineOSConfig', 'machineconfiguration.openshift.io/v1'],
  ['PinnedImageSet', 'machineconfiguration.openshift.io/v1'],
  ['MachineConfiguration', 'operator.openshift.io/v1'],
  ['Module', 'kmm.sigs.x-k8s.io/v1beta1'],
  ['BootModuleConfig', 'kmm.sigs.x-k8s.io/v1beta1'],
  ['ManagedClusterModule', 'hub.kmm.sigs.x-k8s.io/v1beta1'],
  ['PreflightValidationOCP', 'kmm.sigs.x-k8s.io/v1beta1'],
] as const;

describe('lintManifests()', () => {
  it('takes anything where something else was wanted, and names lines that there are', () => {
    const object = fc
      .tuple(fc.constantFrom(...KINDS), tree, tree, tree)
      .map(([[kind, apiVersion], metadata, spec, config]) => ({
        apiVersion,
        kind,
        metadata,
        spec: kind === 'MachineConfig' && typeof spec === 'object' ? { ...spec, config } : spec,
      }));

    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), (objects) => {
        const text = stringify({ kind: 'List', items: objects });
        const lines = text.split('\n').length;

        for (const { line } of reportOf(text).findings) {
          expect(line).toBeGreaterThan(0);
          expect(line).toBeLessThanOrEqual(lines);
        }
      }),
      { numRuns: 400 },
    );
  });
});
