#!/usr/bin/env node
import { VERSION } from './version.ts';

/** Answers `--version` at once: scripts ask it often, and nothing else needs to be loaded for it. */
async function main(argv: readonly string[]): Promise<void> {
  if (argv.length === 1 && argv[0] === '--version') {
    process.stdout.write(`${VERSION}\n`);
    return;
  }
  const { makeProcessContext } = await import('./process-context.ts');
  const { run } = await import('./run.ts');
  process.exitCode = await run(argv, makeProcessContext());
}

await main(process.argv.slice(2));
