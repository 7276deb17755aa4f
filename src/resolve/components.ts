import { RegistryError, ResolveError } from '../errors.ts';
import type { Io } from '../io.ts';
import { choosePlatform, parseManifest, type RawManifest } from '../oci/manifest.ts';
import { fetchManifest, openImage, type OpenedImage } from '../oci/open-image.ts';
import { formatReference, pinned, type Reference } from '../oci/reference.ts';
import type { Repository } from '../registry/repository.ts';
import { forArch, type OpenedRelease } from './open-release.ts';
import { type Component, referenceOf } from './payload.ts';
import { isOkd } from './release-reference.ts';
import type { Share } from './share.ts';
import type { ResolvedImage } from './target.ts';

/** An image of a release, opened for the architecture of the release. */
export interface OpenedComponent {
  readonly resolved: ResolvedImage;
  readonly image: OpenedImage;
}

/** Opens the images of one release on one architecture, each of them once. */
export interface Components {
  /**
   * @throws {ResolveError} `PAYLOAD_INVALID`, `IMAGE_MISSING`, `ARCH_UNSUPPORTED`; {RegistryError} for anything else that
   *   keeps the image from being read.
   */
  open(component: Component): Promise<OpenedComponent>;
  /**
   * The same without the config of the image, for images that are only named. Costs no request where the payload names
   * the image itself, and not a list.
   */
  locate(component: Component): Promise<ResolvedImage>;
}

/** A manifest or a list, and where it was found. */
interface Fetched {
  readonly reference: Reference;
  readonly repository: Repository;
  readonly raw: RawManifest;
}

/**
 * The images of a release. When the release lies in a layout or an archive, an image that lies there too is read from
 * there; any other one is read by its name in the payload.
 *
 * @param share What is fetched at the same time for several releases or architectures is fetched once.
 */
export function componentsOf(
  release: OpenedRelease,
  share: Share,
  io: Pick<Io, 'images' | 'cache'>,
): Components {
  const opened = new Map<string, Promise<OpenedComponent>>();
  const { arch, payload } = release;
  const here = release.image.repository;
  const forThis = <T>({ name }: Component, use: () => T | Promise<T>): Promise<T> =>
    forArch({ arch, what: `${name} of release ${payload.version}` }, use);

  // What the name stands for may depend on where the release lies.
  const place = here.reference.transport === 'docker' ? '' : formatReference(here.reference);
  const fetch = (component: Component): Promise<Fetched> =>
    share(`manifest ${place} ${component.pullspec}`, () => fetchComponent(component, release, io));
  const open = async (component: Component): Promise<OpenedComponent> => {
    const fetched = await fetch(component);
    const image = await forThis(component, () =>
      share(`image ${place} ${component.pullspec} ${arch}`, () =>
        openImage(fetched.repository, fetched.raw, arch, io.cache),
      ),
    );
    return { image, resolved: resolvedImage(component, fetched, image.manifest.digest) };
  };
  return {
    open(component) {
      const opening = opened.get(component.name) ?? open(component);
      opened.set(component.name, opening);
      return opening;
    },
    async locate(component) {
      // Lists are in payloads of several architectures, and may be in those of OKD.
      if (here.reference.transport === 'docker' && !payload.isMulti && !isOkd(payload.version)) {
        const reference = referenceOf(component);
        return { name: component.name, digest: reference.digest, reference, location: reference };
      }
      const fetched = await fetch(component);
      const digest = await forThis(component, () => {
        const manifest = parseManifest(fetched.raw);
        return manifest.kind === 'image' ? manifest.digest : choosePlatform(manifest, arch).digest;
      });
      return resolvedImage(component, fetched, digest);
    },
  };
}

async function fetchComponent(
  component: Component,
  release: OpenedRelease,
  io: Pick<Io, 'images' | 'cache'>,
): Promise<Fetched> {
  const reference = referenceOf(component);
  const { digest } = reference;
  const here = release.image.repository;
  const isHere = here.reference.transport !== 'docker' && (await here.findManifest(digest)) !== undefined;
  const repository = isHere ? here : await io.images.open(reference, 'read');
  try {
    return { reference, repository, raw: await fetchManifest(repository, digest, io.cache) };
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'NOT_FOUND') throw error;
    throw new ResolveError(
      'IMAGE_MISSING',
      `Cannot read ${component.name} of release ${release.payload.version}: ${formatReference(reference)} is not there`,
      { cause: error, hint: 'When the release was mirrored, mirror it again with all of its images.' },
    );
  }
}

function resolvedImage(
  { name }: Component,
  { reference, repository }: Omit<Fetched, 'raw'>,
  digest: RawManifest['digest'],
): ResolvedImage {
  const isMoved = repository.reference.transport !== 'docker';
  return {
    name,
    digest,
    reference: pinned(reference, digest),
    location: pinned(isMoved ? repository.reference : reference, digest),
  };
}
