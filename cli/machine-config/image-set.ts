import { SpecError } from '../../src/errors.ts';
import {
  type ImageSetOptions,
  type ImageSetRelease,
  isChannel,
  makeImageSetConfiguration,
} from '../../src/manifests/image-set.ts';
import type { ImageSetFlags } from '../commands/machine-config/image-set.ts';
import type { CliContext } from '../context.ts';
import { makeFiles } from '../io/files.ts';
import { lockFileOf, readLockIfThere } from '../lock-file.ts';
import { makeReport } from '../report/event-text.ts';
import { defined, fromFlags, printManifests, readSpec } from './manifests.ts';

/** Prints what oc-mirror takes to another site: releases of the command line, or those of a spec. */
export async function printImageSet(
  releases: readonly string[],
  flags: ImageSetFlags,
  context: CliContext,
): Promise<void> {
  const { file, arch, channel, image } = flags;
  const found: Pick<ImageSetOptions, 'releases' | 'arches'> =
    file === undefined
      ? defined({ releases: releases.map((version) => ({ version })), arches: arch })
      : await releasesOfSpec(file, releases, flags, context);
  const chosen = (found.releases ?? []).map((release) => ({
    ...release,
    ...(channel === undefined ? {} : { channel: `${channel}-${release.version.split('.', 2).join('.')}` }),
  }));
  const object = fromFlags({ releases: 'RELEASE', arches: '--arch', images: '--image' }, () =>
    makeImageSetConfiguration(
      defined({ ...found, releases: chosen, images: image }) as unknown as ImageSetOptions,
    ),
  );
  warnOfMore(object.mirror.platform?.channels ?? [], new Set(chosen.map(({ version }) => version)), context);
  printManifests([object], flags, context);
}

async function releasesOfSpec(
  file: string,
  releases: readonly string[],
  { arch }: ImageSetFlags,
  context: CliContext,
): Promise<Pick<ImageSetOptions, 'releases' | 'arches'>> {
  const set = await readSpec(file, { arch, release: releases.length === 0 ? undefined : releases }, context);
  const { cwd } = context;
  const lock = await readLockIfThere(lockFileOf(file, {}, context), { files: makeFiles(cwd) });
  if (lock !== undefined) {
    const { requireLockOf } = await import('../../src/lock-set.ts');
    requireLockOf(set, lock);
    return {
      releases: lock.targets.map(({ release: { version }, update }): ImageSetRelease => {
        const channel = update?.channel ?? '';
        return { version, ...(isChannel(channel) ? { channel } : {}) };
      }),
      arches: [...new Set(lock.targets.map((target) => target.arch))],
    };
  }
  const versions = set.targets.releases.map((release): ImageSetRelease => {
    if (release.type === 'version') return { version: release.version };
    throw new SpecError('USAGE', `Cannot tell which releases ${file} stands for: it has ranges or images`, {
      hint: 'Run "kmodlayer lock" first: its lock file says it.',
    });
  });
  return { releases: versions, arches: set.targets.arches };
}

/** A channel is mirrored from its first to its last release: there may be others between them. */
function warnOfMore(
  channels: readonly { readonly name: string; readonly minVersion: string; readonly maxVersion: string }[],
  wanted: ReadonlySet<string>,
  context: CliContext,
): void {
  const report = makeReport(context, {});
  const patchOf = (version: string): number => Number(/^\d+\.\d+\.(\d+)/.exec(version)?.[1]);
  for (const { name, minVersion, maxVersion } of channels) {
    const minor = minVersion.replace(/\d+(?:-.*)?$/, '');
    const [first, last] = [patchOf(minVersion), patchOf(maxVersion)];
    const missing = Array.from({ length: last - first + 1 }, (_, at) => `${minor}${first + at}`).filter(
      (version) => !wanted.has(version),
    );
    if (minVersion === maxVersion || missing.length === 0) continue;
    report({
      type: 'warning',
      message: `oc-mirror also takes what channel ${name} has between ${minVersion} and ${maxVersion}`,
      hint: 'Make one configuration for each release to take no others.',
    });
  }
}
