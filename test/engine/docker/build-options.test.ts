import { describe, expect, it } from 'vitest';
import { makeApiBuildOptions } from '../../../src/engine/docker/build-options.ts';

describe('makeApiBuildOptions()', () => {
  it('passes on what an API has', () => {
    const args =
      '--isolation chroot --network=host --memory 2g --ulimit nofile=10:20 --ulimit=nproc=5 --add-host a:1.2.3.4';

    expect(makeApiBuildOptions(args.split(' '))).toEqual({
      isolation: 'chroot',
      networkmode: 'host',
      memory: 2 * 1024 ** 3,
      ulimits: '[{"Name":"nofile","Soft":10,"Hard":20},{"Name":"nproc","Soft":5,"Hard":5}]',
      extrahosts: '["a:1.2.3.4"]',
    });
  });

  it.each(['--cap-add=SYS_ADMIN', '--memory=much', '--ulimit=x', 'word'])('refuses %s', (word) => {
    expect(() => makeApiBuildOptions([word])).toThrow(/^Cannot pass/);
  });
});
