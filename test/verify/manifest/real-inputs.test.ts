import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findingsOf } from '../../support/lint.ts';

/** What the facts say of manifests that others published, written down before the first run. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  // A MachineConfig has no selector: these arguments go to every worker.
  'intel-100-iommu-on.yaml': ['unknown-field warning 16 spec.selector'],
  'openshift-layering-simple-kmod.yaml': ['osimageurl-tag warning 8 spec.osImageURL'],
  'machineconfig-osimageurl-example.yaml': ['osimageurl-tag warning 8 spec.osImageURL'],
  'intel-dgpu.yaml': [],
  'kmm-e2e-module.yaml': [
    'module-sign note 30 spec.moduleLoader.container.kernelMappings[0].sign.filesToSign[0]',
  ],
  'kmm-sample-module.yaml': ['module-mapping warning 8 spec.moduleLoader.container.kernelMappings'],
  'kmm-hub-managedclustermodule.yaml': [
    'module-mapping warning 9 spec.moduleSpec.moduleLoader.container.kernelMappings',
  ],
  // The version of the API that was served last wants a kernel release; releaseImage is of the first one.
  'kmm-sample-preflight-ocp.yaml': ['preflight-kernel error 5 spec.kernelVersion'],
};

describe('Manifests that others published', () => {
  it.each(readdirSync('fixtures/lint').filter((name) => name.endsWith('.yaml')))('%s', (name) => {
    expect(findingsOf(readFileSync(`fixtures/lint/${name}`, 'utf8'))).toEqual(EXPECTED[name]);
  });
});
