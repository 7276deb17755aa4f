import type { MemoryRepository } from './memory-images.ts';
import type { TestRegistry } from './test-registry.ts';

/** Puts everything that repositories in memory hold into a registry, under the names that they have there. */
export function fillRegistry(registry: TestRegistry, repositories: readonly MemoryRepository[]): void {
  for (const { reference, blobs, manifests, tags } of repositories) {
    if (reference.transport !== 'docker') throw new Error('A registry holds no layouts');
    const there = registry.repository(reference.repository);
    for (const [digest, bytes] of blobs) there.blobs.set(digest, Buffer.from(bytes));
    for (const [digest, { mediaType, bytes }] of manifests) {
      there.manifests.set(digest, { mediaType, bytes: Buffer.from(bytes) });
    }
    for (const [tag, digest] of tags) there.tags.set(tag, digest);
  }
}
