import { expect, test } from 'vitest';
import type { Files } from '../../src/io.ts';
import { readFirmware } from '../../src/layer/firmware.ts';

function filesOf(contents: Readonly<Record<string, Uint8Array | Error>>): Files {
  return {
    list: () => Promise.resolve(Object.keys(contents)),
    readLink: () => Promise.resolve(undefined),
    read: (path) => {
      const bytes = contents[path.slice('fw/'.length)];
      return bytes instanceof Uint8Array
        ? Promise.resolve(bytes)
        : Promise.reject(bytes ?? new Error('none'));
    },
  };
}

test('Firmware is every file of the directory by its path in it', async () => {
  const bytes = Buffer.from('package');
  const files = filesOf({ 'intel/ice.pkg': bytes });

  const firmware = await readFirmware('fw', files);

  expect(firmware).toEqual([{ path: 'intel/ice.pkg', bytes }]);
});

test('A firmware file that cannot be read is named', async () => {
  const files = filesOf({
    'a.bin': Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }),
  });

  const reading = readFirmware('fw', files);

  await expect(reading).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: 'Cannot read the firmware fw/a.bin',
  });
});

test('Firmware of more than 256 MiB in all is refused', async () => {
  const half = new Uint8Array(200 * 1024 ** 2);
  const files = filesOf({ 'a.bin': half, 'b.bin': half });

  const reading = readFirmware('fw', files);

  await expect(reading).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
});
