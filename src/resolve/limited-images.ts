import type { Images, Repository } from '../registry/repository.ts';

/**
 * Images that are read with at most so many requests in flight at once, over all repositories. A stream counts until it
 * was read to its end, or left.
 */
export function limitedImages(images: Images, limit: number): Images {
  const slots = makeSlots(limit);
  return { open: async (reference, purpose) => limited(await images.open(reference, purpose), slots) };
}

interface Slots {
  readonly take: () => Promise<() => void>;
}

function makeSlots(limit: number): Slots {
  const waiting: (() => void)[] = [];
  let free = limit;
  const give = (): void => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    async take() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      return give;
    },
  };
}

function limited(repository: Repository, { take }: Slots): Repository {
  const inSlot = async <T>(work: () => Promise<T>): Promise<T> => {
    const give = await take();
    try {
      return await work();
    } finally {
      give();
    }
  };
  return {
    reference: repository.reference,
    getManifest: (reference) => inSlot(() => repository.getManifest(reference)),
    findManifest: (reference) => inSlot(() => repository.findManifest(reference)),
    async *readBlob(blob, options) {
      const give = await take();
      try {
        yield* repository.readBlob(blob, options);
      } finally {
        give();
      }
    },
    hasBlob: (blob) => inSlot(() => repository.hasBlob(blob)),
    mountBlob: (blob, from) => inSlot(() => repository.mountBlob(blob, from)),
    writeBlob: (blob, content) => inSlot(() => repository.writeBlob(blob, content)),
    writeManifest: (manifest, tag) => inSlot(() => repository.writeManifest(manifest, tag)),
    listTags: (limit) => inSlot(() => repository.listTags(limit)),
    defaultManifest: () => inSlot(() => repository.defaultManifest()),
  };
}
