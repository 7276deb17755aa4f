import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { makeNodeIo } from '../../cli/node-io.ts';
import type { BuildEvent } from '../../src/events.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { resolve as resolveRelease } from '../../src/resolve/resolve.ts';

it('makeNodeIo reaches layouts from a directory, and tells nobody but the receiver of events', async () => {
  const home = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  const events: BuildEvent[] = [];
  const io = await makeNodeIo({
    cwd: resolve('fixtures/quickstart'),
    env: { HOME: home },
    report: (event) => events.push(event),
  });

  const targets = await resolveRelease({ release: 'oci:release:4.18.4', kernels: ['default'] }, io);
  io.report({ type: 'detail', message: 'heard' });
  await rm(home, { recursive: true, force: true });

  expect(targets.map(({ osImage }) => osImage.kernel)).toEqual(['6.1.0-56-amd64']);
  expect(events.at(-1)).toEqual({ type: 'detail', message: 'heard' });
});

it('makeNodeIo works with nothing but defaults', async () => {
  const io = await makeNodeIo();

  await expect(io.images.open(parseReference('oci:nowhere:1'), 'read')).rejects.toThrow(
    'there is no such directory',
  );
});
