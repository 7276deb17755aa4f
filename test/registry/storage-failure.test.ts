import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RegistryError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { makeImages } from '../../src/registry/images.ts';
import { storageFailure } from '../../src/registry/storage-failure.ts';

test('A layout that cannot be written is an error that names it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kmodlayer-storage-'));
  await writeFile(join(directory, 'published'), 'a file');
  const images = makeImages({ cwd: directory });
  const bytes = Buffer.from('blob');
  const blob = { mediaType: 'text/plain', digest: digestOf(bytes), sizeBytes: bytes.length };

  const to = await images.open(parseReference('oci:published'), 'write');
  const failure = await to.writeBlob(blob, () => [bytes]).catch((error: unknown) => error);
  await rm(directory, { recursive: true });

  expect(failure).toBeInstanceOf(RegistryError);
  expect(failure).toMatchObject({
    code: 'STORAGE_FAILED',
    message: 'Cannot use oci:published: a part of its path is not a directory',
  });
});

test('A full disk is said in words', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write',
  });

  const failure = storageFailure('oci:published', full);

  expect(failure).toMatchObject({
    code: 'STORAGE_FAILED',
    message: 'Cannot use oci:published: no space is left there',
  });
});

test('What is not of the file system stays as it is', () => {
  const error = new Error('something else');

  const failure = storageFailure('oci:published', error);

  expect(failure).toBe(error);
});
