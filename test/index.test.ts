import { expect, it } from 'vitest';
import * as entry from '../src/index.ts';

it('the entry exports what it promises, and nothing by accident', () => {
  expect(Object.keys(entry).sort()).toEqual([
    'ARCHES',
    'BootError',
    'CompileError',
    'KmodError',
    'LayerError',
    'ModuleError',
    'OciError',
    'PartialFailure',
    'ProduceMachineConfig',
    'RegistryError',
    'ResolveError',
    'SignError',
    'SpecError',
    'findArch',
    'formatReference',
    'goArchOf',
    'makeDay1MachineConfig',
    'makeOsImageMachineConfig',
    'parseArch',
    'parseDigest',
    'parseKernelRelease',
    'parseModuleName',
    'parseOpenShiftVersion',
    'parseReference',
    'parseTag',
    'pinned',
    'produceMachineConfig',
    'tagFrom',
    'tagged',
    'toYaml',
    'unpinned',
  ]);
});
