import { fetchBigEndianKmod, fetchKernel, fetchKmod28, fetchKmod34 } from '../e2e/depmod-packages.ts';

/** Unpacks the kernels and versions of kmod that the suites of depmod compare with; what is there is left alone. */
async function main(): Promise<void> {
  for (const arch of ['amd64', 'arm64', 'ppc64el', 's390x'] as const) await fetchKernel(arch);
  await fetchKmod28();
  await fetchKmod34();
  await fetchBigEndianKmod();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
