import { expect, it } from 'vitest';
import { describeTaints } from '../../../src/verify/boot/taints.ts';

it.each([
  [0, []],
  [4096, ['out-of-tree module (O)']],
  [12289, ['proprietary module (P)', 'out-of-tree module (O)', 'unsigned module (E)']],
  [2 ** 40, ['bit 40']],
])('a kernel tainted %i has %j', (tainted, taints) => {
  expect(describeTaints(tainted)).toEqual(taints);
});
