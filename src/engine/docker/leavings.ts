import { setTimeout as sleep } from 'node:timers/promises';
import { field } from '../storage-program.ts';
import type { Api } from './api.ts';

/** What was in the cache of Docker's BuildKit before a request; nothing for podman, which marks what it makes. */
export type Leavings = ReadonlySet<string>;

/** Label of all images that a request makes with podman; its value is the prefix of their names. */
export const REQUEST_LABEL = 'io.kmodlayer.request';

/** How long a daemon may take to end a build that was stopped, in milliseconds. */
const PATIENCE_MS = 10_000;

export async function makeLeavings(api: Api): Promise<Leavings> {
  return new Set(api.isPodman ? [] : await cacheRecords(api));
}

/**
 * Removes what a request made: its images by their names, and those without a name that have its label. Docker's cache
 * knows no labels: of it goes what came meanwhile and is not in use. That may be of somebody else's build at the same
 * time, which then has to do a step again.
 */
export async function removeLeavings(
  api: Api,
  { prefix, before }: { readonly prefix: string; readonly before: Leavings },
): Promise<void> {
  const images = await api.docker.listImages({ all: false });
  const names = images.flatMap(({ RepoTags }) => RepoTags ?? []);
  for (const name of names.filter((one) => one.startsWith(`${prefix}/`))) {
    // Nobody else knows the name: what still uses it is a container of a build that was given up.
    await removeImage(api, name, { force: true });
  }
  if (api.isPodman) {
    await removeNameless(api, prefix);
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

/** An image goes when those that were made of it are gone, so they are asked for again while there are fewer. */
async function removeNameless(api: Api, prefix: string): Promise<void> {
  let left = await namelessImages(api, prefix);
  for (let count = Infinity; left.length > 0 && left.length < count;) {
    count = left.length;
    for (const id of left) await removeImage(api, id, { force: false });
    left = await namelessImages(api, prefix);
  }
}

async function removeImage(api: Api, name: string, options: { readonly force: boolean }): Promise<void> {
  // Another image may be made of it, or somebody was quicker: then it goes with that one, or is gone.
  await api.docker
    .getImage(name)
    .remove(options)
    .catch(() => undefined);
}

async function namelessImages(api: Api, prefix: string): Promise<readonly string[]> {
  const filters = JSON.stringify({ label: [`${REQUEST_LABEL}=${prefix}`] });
  const images = await api.docker.listImages({ all: true, filters });
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
