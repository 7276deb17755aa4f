import { SpecError } from '../../src/errors.ts';
import {
  makeImageDigestMirrorSet,
  makeImageTagMirrorSet,
  type MirrorEntry,
  type MirrorSetOptions,
} from '../../src/manifests/mirror-set.ts';
import type { Reference } from '../../src/oci/reference.ts';
import { objectNameFrom } from '../../src/spec/object-name.ts';
import type { MirrorSetFlags } from '../commands/machine-config/mirror-set.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, printManifests, readSpec } from './manifests.ts';

const MAKERS = { tag: makeImageTagMirrorSet, digest: makeImageDigestMirrorSet };

/** Prints the sets of mirrors that flags or a spec ask for. */
export async function printMirrorSets(flags: MirrorSetFlags, context: CliContext): Promise<void> {
  const sets = flags.file === undefined ? [setOfFlags(flags)] : await setsOfSpec(flags, flags.file, context);
  printManifests(sets, flags, context);
}

function setOfFlags(flags: MirrorSetFlags): object {
  if (flags.pulls === undefined || flags.to !== undefined) {
    throw new SpecError('USAGE', 'Cannot make a set of mirrors from these flags', {
      hint: 'Give --pulls tag or --pulls digest with --mirror SOURCE=MIRROR, or --file with --to.',
    });
  }
  const make = MAKERS[flags.pulls];
  const mirrors = entriesOf(flags);
  return fromFlags({ mirrors: '--mirror' }, () =>
    make(defined({ name: flags.name, mirrors }) as unknown as MirrorSetOptions),
  );
}

/** A source that stands there again gets one more mirror. */
function entriesOf({ mirror = [], neverContactSource }: MirrorSetFlags): readonly MirrorEntry[] {
  const places = new Map<string, string[]>();
  for (const text of mirror) {
    const at = text.indexOf('=');
    if (at < 0) {
      throw new SpecError('USAGE', `Cannot use --mirror ${JSON.stringify(text.slice(0, 200))}`, {
        hint: 'Write --mirror SOURCE=MIRROR.',
      });
    }
    const source = text.slice(0, at);
    places.set(source, [...(places.get(source) ?? []), text.slice(at + 1)]);
  }
  return [...places].map(([source, mirrors]) => ({
    source,
    mirrors,
    ...(neverContactSource === true ? { contactSource: false } : {}),
  }));
}

/** OS images are named by digest; kmod images by tag, and by digest where they are pinned. */
async function setsOfSpec(
  flags: MirrorSetFlags,
  file: string,
  context: CliContext,
): Promise<readonly object[]> {
  const { name, pulls, mirror, to, neverContactSource } = flags;
  const { publish, name: setName } = await readSpec(file, { name, pulls, mirror }, context);
  if (to === undefined) {
    throw new SpecError('USAGE', 'Cannot make mirrors from a spec: it does not know them', {
      hint: 'Name the registry or namespace that has them with --to.',
    });
  }
  const entry = (repository: Reference): readonly MirrorEntry[] =>
    repository.transport === 'docker'
      ? [
          {
            source: `${repository.host}/${repository.repository}`,
            mirrors: [`${to}/${repository.repository}`],
            ...(neverContactSource === true ? { contactSource: false } : {}),
          },
        ]
      : [];
  const kmod = publish.kmodImage === undefined ? [] : entry(publish.kmodImage);
  const digest = [...entry(publish.osImage), ...kmod];
  return fromFlags({ mirrors: '--to' }, () => [
    ...(digest.length === 0 ? [] : [MAKERS.digest({ name: objectNameFrom(setName), mirrors: digest })]),
    ...(kmod.length === 0 ? [] : [MAKERS.tag({ name: objectNameFrom(setName), mirrors: kmod })]),
  ]);
}
