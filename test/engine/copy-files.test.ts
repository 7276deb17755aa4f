import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyRegularFiles } from '../../src/engine/copy-files.ts';

let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'kmodlayer-copy-'));
  mkdirSync(join(base, 'from/sub'), { recursive: true });
});

afterEach(() => {
  rmSync(base, { recursive: true });
});

describe('copyRegularFiles()', () => {
  it('copies files with their directories', async () => {
    writeFileSync(join(base, 'from/sub/a.ko'), 'a');

    await copyRegularFiles(join(base, 'from'), join(base, 'to'));

    expect(readFileSync(join(base, 'to/sub/a.ko'), 'utf8')).toBe('a');
  });

  it('follows no link that a build made', async () => {
    symlinkSync('/etc/passwd', join(base, 'from/a.ko'));
    symlinkSync('/etc', join(base, 'from/etc'));

    await copyRegularFiles(join(base, 'from'), join(base, 'to'));

    expect(readdirSync(join(base, 'to'))).toEqual(['sub']);
  });
});
