import type { MemoryRepository } from './memory-images.ts';
import { addRelease, chunkedOsImage, nodeOsImage, toolkitImage } from './synthetic-release.ts';

/** A release of a world of many. */
export interface MadeRelease {
  readonly version: string;
  readonly kernel: string;
  /** `<repository>@sha256:...` */
  readonly payload: string;
}

/**
 * Adds releases of one minor after the other, twenty z-streams each: older ones with chunks alone, newer ones with node
 * layers. Two neighbours share a kernel, and no two an image.
 */
export async function addReleases(
  world: { readonly releases: MemoryRepository; readonly components: MemoryRepository },
  count: number,
): Promise<readonly MadeRelease[]> {
  const made: MadeRelease[] = [];
  for (let index = 0; index < count; index++) {
    const minor = 16 + Math.floor(index / 20);
    const version = `4.${minor}.${index % 20}`;
    const kernel = `5.14.0-${427 + Math.floor(index / 2)}.1.el9_4.x86_64`;
    const labels = { 'io.openshift.test': version };
    const osImage =
      minor < 19 ? await chunkedOsImage({ kernel, labels }) : await nodeOsImage({ kernel, labels });
    const toolkit = toolkitImage({ kernel, labels });
    const { release } = await addRelease(world, { version, osImage, toolkit });
    const { reference } = world.releases;
    const repository = reference.transport === 'docker' ? `${reference.host}/${reference.repository}` : '';
    made.push({ version, kernel, payload: `${repository}@${release}` });
  }
  return made;
}

/** What an update service answers about releases. */
export function graphOf(
  releases: readonly Pick<MadeRelease, 'version' | 'payload'>[],
  conditionalEdges: readonly object[] = [],
): string {
  return JSON.stringify({
    version: 1,
    nodes: releases.map(({ version, payload }) => ({ version, payload, metadata: {} })),
    edges: [],
    conditionalEdges,
  });
}
