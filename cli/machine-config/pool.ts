import { SpecError } from '../../src/errors.ts';
import {
  isBuiltInPool,
  makeMachineConfigPool,
  type MachineConfigPoolOptions,
} from '../../src/manifests/machine-config-pool.ts';
import type { PoolFlags } from '../commands/machine-config/pool.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, pairsOf, printManifests, readSpec } from './manifests.ts';

/** Prints the pools that flags or a spec ask for. */
export async function printPools(flags: PoolFlags, context: CliContext): Promise<void> {
  const shared = {
    maxUnavailable: amountOf(flags.maxUnavailable),
    paused: flags.paused,
    osImageStream: flags.osImageStream,
  };
  const names = flags.file === undefined ? [flags.name] : await namesIn(flags, flags.file, context);
  const nodeSelector = pairsOf('--node-selector', flags.nodeSelector);
  const pools = names.map((name) =>
    fromFlags({}, () =>
      makeMachineConfigPool(
        defined({ name, nodeSelector, ...shared }) as unknown as MachineConfigPoolOptions,
      ),
    ),
  );
  printManifests(pools, flags, context);
}

/** What a spec builds becomes the osImageURL of its pools: no stream can stand beside it. */
async function namesIn(flags: PoolFlags, file: string, context: CliContext): Promise<readonly string[]> {
  const { name, nodeSelector, osImageStream } = flags;
  const set = await readSpec(file, { name, nodeSelector, osImageStream }, context);
  const names = set.rollout.pools.filter((pool) => !isBuiltInPool(pool));
  if (names.length > 0) return names;
  throw new SpecError(
    'VALUE_INVALID',
    `Cannot make pools from ${file}: its pools are those of every cluster`,
    {
      hint: 'Name others under "rollout.pools".',
    },
  );
}

/** A number where it is one; what is wrong is told by the one who reads options. */
function amountOf(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : text;
}
