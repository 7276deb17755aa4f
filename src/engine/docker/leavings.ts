import { setTimeout as sleep } from 'node:timers/promises';
import { field } from '../storage-program.ts';
import type { Api } from './api.ts';

/** What was in a daemon before a request: records of BuildKit's cache, or images without a name. */
export type Leavings = ReadonlySet<string>;

/** How long a daemon may take to end a build that was stopped, in milliseconds. */
const PATIENCE_MS = 10_000;

export async function makeLeavings(api: Api): Promise<Leavings> {
  return new Set(await (api.isPodman ? namelessImages(api) : cacheRecords(api)));
}

/**
 * Removes what a request made: its images by their names, and what came into the daemon's cache meanwhile and is not in
 * use. That may be of somebody else's build at the same time, which then has to do a step again.
 */
export async function removeLeavings(
  api: Api,
  { prefix, before }: { readonly prefix: string; readonly before: Leavings },
): Promise<void> {
  const images = await api.docker.listImages({ all: false });
  const names = images.flatMap(({ RepoTags }) => RepoTags ?? []);
  for (const name of names.filter((one) => one.startsWith(`${prefix}/`))) {
    await removeImage(api, name);
  }
  if (api.isPodman) {
    for (const id of (await namelessImages(api)).filter((one) => !before.has(one)))
      await removeImage(api, id);
    return;
  }
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 250) {
    const made = (await cacheRecords(api)).filter((id) => !before.has(id));
    if (made.length === 0) return;
    await api.docker.pruneBuilder({
      all: true,
      filters: JSON.stringify({ id: { [`^(${made.join('|')})$`]: true } }),
    });
    if (waitedMs > 0) await sleep(250);
  }
}

async function removeImage(api: Api, name: string): Promise<void> {
  // Another image may be made of it, or somebody was quicker: then it goes with that one, or is gone.
  await api.docker
    .getImage(name)
    .remove({ force: true })
    .catch(() => undefined);
}

async function namelessImages(api: Api): Promise<readonly string[]> {
  const images = await api.docker.listImages({ all: true });
  return images
    .filter(({ RepoTags }) => (RepoTags ?? []).every((name) => name.startsWith('<none>')))
    .map(({ Id }) => Id);
}

/** Ids of BuildKit's cache; those that a filter could not name are left alone. */
async function cacheRecords(api: Api): Promise<readonly string[]> {
  const usage: unknown = await api.docker.df();
  const records = field(usage, 'BuildCache');
  if (!Array.isArray(records)) return [];
  return records.map((record) => String(field(record, 'ID'))).filter((id) => /^[A-Za-z0-9]+$/.test(id));
}
