import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKeyFileSigner } from '../../src/sign/key-file.ts';
import { signModule } from '../../src/sign/sign.ts';
import { makeThrowAwayKey } from '../../src/sign/throw-away-key.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import { runCli } from '../support/cli.ts';
import { listDebianKernels } from '../support/kernels.ts';

const run = promisify(execFile);
const [KERNEL] = listDebianKernels('kernels-rt');
const TIMEOUT_MS = 600_000;

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-realtime-'));
  const tree = join(scratch, 'root/usr/lib/modules', KERNEL.release);
  await mkdir(join(tree, 'kernel'), { recursive: true });
  await cp(KERNEL.image, join(tree, 'vmlinuz'));
  await cp(KERNEL.config, join(tree, 'config'));
  await cp(join(KERNEL.modules, 'drivers/net/tun.ko'), join(tree, 'kernel/tun.ko'));
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'])
    await cp(join(KERNEL.modules, '..', name), join(tree, name));
  await run('depmod', ['-b', join(scratch, 'root/usr'), KERNEL.release]);
  const { privateKey, certificate } = await makeThrowAwayKey('The owner of the nodes', new Date());
  const signer = makeKeyFileSigner({ key: privateKey.export({ type: 'pkcs8', format: 'der' }), certificate });
  await writeFile(join(scratch, 'signing.der'), certificate);
  const module = await readFile(join(KERNEL.modules, 'drivers/net/dummy.ko'));
  await writeFile(join(scratch, 'dummy.ko'), await signModule(module, signer, { hash: 'sha256' }));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function verify(
  ...flags: readonly string[]
): Promise<{ readonly exitCode: number; readonly report: VerifyReport }> {
  const { exitCode, stdout, stderr } = await runCli(
    [
      ...['verify', 'dummy.ko', '--base', 'root', '--kernel', KERNEL.release, '--cert', 'signing.der'],
      ...['--secure-boot', '--boot-root', '/', '-o', 'json', ...flags],
    ],
    { cwd: scratch, env: { ...process.env } },
  );
  expect(stdout, stderr).not.toBe('');
  return { exitCode, report: JSON.parse(stdout) as VerifyReport };
}

describe('kmodlayer verify --secure-boot on a kernel for real time', () => {
  it(
    'says what keeps the kernel from knowing the certificate',
    async () => {
      const { exitCode, report } = await verify();

      expect(exitCode).toBe(1);
      const [target] = report.targets;
      expect(target?.statement, target?.boot?.console).toMatch(
        /refused dummy: .*unavailable key.*took no certificate from the firmware.*CONFIG_EFI_DISABLE_RUNTIME.*efi=runtime/,
      );
    },
    TIMEOUT_MS,
  );

  it.each(['db', 'mok'])(
    'loads the module with the argument that the nodes need, certificate in %s',
    async (place) => {
      const { exitCode, report } = await verify('--enrol', place, '--boot-arg', 'efi=runtime');

      const [target] = report.targets;
      expect(target?.boot, target?.boot?.console).toMatchObject({
        verdict: 'passes',
        secureBoot: true,
        isSignatureEnforced: true,
        modules: [{ name: 'dummy', outcome: 'loaded' }],
      });
      expect(exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );
});
