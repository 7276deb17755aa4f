import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type TarEntry, tarBytes } from './tar.ts';

/** A layer that is in the layout. */
export interface Layer {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly diffId: string;
}

/** One layer of an image, and what the image says about it. */
export interface ImageLayer {
  readonly layer: Layer;
  /** `created_by` of its step in the history. */
  readonly createdBy: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageOptions {
  readonly layers: readonly ImageLayer[];
  readonly labels: Readonly<Record<string, string>>;
  /** Steps of the history without a layer, put after the layer with that index. */
  readonly emptySteps?: readonly { readonly after: number; readonly createdBy: string }[];
  readonly family: 'docker' | 'oci';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly created: string;
  /** Tag in the layout's index; an image without one is found by digest only. */
  readonly name?: string;
}

export interface Image {
  readonly digest: string;
  readonly mediaType: string;
}

const MEDIA_TYPES = {
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
} as const;

/** An OCI layout on disk, written without the product's code. Layers can be kept by a key between runs. */
export class Layout {
  readonly directory: string;
  readonly #manifests: Record<string, unknown>[] = [];

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
    mkdirSync(join(directory, 'layers'), { recursive: true });
    writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  /** Writes a layer, unless one was written under the same key. The key names everything that the content depends on. */
  async writeLayer(key: string, entries: () => Iterable<TarEntry>, level = 6): Promise<Layer> {
    return this.#keep(key, () => this.#writeGzip(tarBytes(entries()), level));
  }

  /** Writes a layer from an uncompressed tar file. */
  async writeTarLayer(key: string, tarFile: string): Promise<Layer> {
    return this.#keep(key, () => this.#writeGzip(createReadStream(tarFile, { highWaterMark: 1 << 20 }), 6));
  }

  async writeImage(options: ImageOptions): Promise<Image> {
    const types = MEDIA_TYPES[options.family];
    const config = this.#writeBlob(JSON.stringify(configOf(options)));
    const manifest = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, ...config },
      layers: options.layers.map(({ layer, annotations }) => ({
        mediaType: types.layer,
        digest: layer.digest,
        size: layer.sizeBytes,
        ...(options.family === 'oci' && annotations !== undefined ? { annotations } : {}),
      })),
      ...(options.family === 'oci' && options.annotations !== undefined
        ? { annotations: options.annotations }
        : {}),
    };
    const written = this.#writeBlob(JSON.stringify(manifest));
    this.#manifests.push({
      mediaType: types.manifest,
      ...written,
      ...(options.name === undefined
        ? {}
        : { annotations: { 'org.opencontainers.image.ref.name': options.name } }),
    });
    writeFileSync(
      join(this.directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: this.#manifests }, null, 1),
    );
    return { digest: written.digest, mediaType: types.manifest };
  }

  async #keep(key: string, write: () => Promise<Layer>): Promise<Layer> {
    const note = join(this.directory, 'layers', `${createHash('sha256').update(key).digest('hex')}.json`);
    if (existsSync(note)) {
      const layer = JSON.parse(readFileSync(note, 'utf8')) as Layer;
      if (existsSync(this.#blobFile(layer.digest))) return layer;
    }
    const layer = await write();
    writeFileSync(note, JSON.stringify(layer));
    return layer;
  }

  async #writeGzip(bytes: Iterable<Buffer> | AsyncIterable<Buffer>, level: number): Promise<Layer> {
    const plain = new Hashing();
    const packed = new Hashing();
    const partial = join(this.directory, `partial-${process.pid}`);
    await pipeline(Readable.from(bytes), plain, createGzip({ level }), packed, createWriteStream(partial));
    const layer = { digest: packed.digest(), sizeBytes: packed.sizeBytes, diffId: plain.digest() };
    renameSync(partial, this.#blobFile(layer.digest));
    return layer;
  }

  #writeBlob(text: string): { readonly digest: string; readonly size: number } {
    const bytes = Buffer.from(text);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    writeFileSync(this.#blobFile(digest), bytes);
    return { digest, size: bytes.length };
  }

  #blobFile(digest: string): string {
    return join(this.directory, 'blobs/sha256', digest.slice('sha256:'.length));
  }
}

function configOf(options: ImageOptions): Record<string, unknown> {
  const created = options.created;
  const empty = options.emptySteps ?? [];
  const history = options.layers.flatMap(({ createdBy }, index) => [
    { created, created_by: createdBy },
    ...empty
      .filter(({ after }) => after === index)
      .map((step) => ({ created, created_by: step.createdBy, empty_layer: true })),
  ]);
  return {
    created,
    architecture: 'amd64',
    os: 'linux',
    config: {
      Labels: options.labels,
      Cmd: options.command ?? ['/bin/sh'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      StopSignal: 'SIGRTMIN+3',
    },
    rootfs: { type: 'layers', diff_ids: options.layers.map(({ layer }) => layer.diffId) },
    history,
  };
}

/** Passes bytes on and hashes them. */
class Hashing extends Transform {
  readonly #hash = createHash('sha256');
  sizeBytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    this.sizeBytes += chunk.length;
    done(null, chunk);
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}
