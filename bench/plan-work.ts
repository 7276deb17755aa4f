import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { requireLockOf } from '../src/lock-set.ts';
import { digestOf } from '../src/oci/digest.ts';
import { makeMatrix } from '../src/plan/matrix.ts';
import { plan } from '../src/plan/plan.ts';
import { parseLock } from '../src/plan/read-lock.ts';
import { parseSpec } from '../src/spec/spec.ts';

/** `plan-work.ts LOCK SPEC`: reads a lock file and plans its spec; prints how many units there are, and the time of planning. */
function main([file = '', specFile = '']: readonly string[]): void {
  const lock = parseLock(readFileSync(file, 'utf8'), { file, directory: dirname(file) });
  const set = parseSpec(readFileSync(specFile, 'utf8'), specFile);
  requireLockOf(set, lock);
  const startedAt = process.hrtime.bigint();
  const drivers = new Map(
    Object.entries(lock.pins).map(([name, source]) => [name, { source, firmware: [] }]),
  );
  const scripts = digestOf(Buffer.from('scripts'));
  const made = plan(set, lock.targets, { drivers, signers: [], scripts });
  const matrix = makeMatrix(made);
  const ms = Number(process.hrtime.bigint() - startedAt) / 1e6;
  const { compiles, images, kmodImages } = made;
  process.stdout.write(
    `${JSON.stringify({ compiles: compiles.length, images: images.length, kmodImages: kmodImages.length, jobs: matrix.include.length, ms })}\n`,
  );
}

main(process.argv.slice(2));
