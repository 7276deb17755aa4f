import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { readFileSync } from 'node:fs';

/**
 * The bare protocol of appending a ready layer to an image of the same registry: the least that any tool must send.
 * Nothing is checked, signed, merged or retried.
 *
 * Arguments: host, repository of the base, digest of the base, repository to push to, gzip file of the layer.
 */
const [host = '', from = '', base = '', to = '', layerFile = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

function send(method: string, path: string, body?: Buffer, type?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      accept: MANIFEST,
      ...(body === undefined ? {} : { 'content-length': body.length }),
      ...(type === undefined ? {} : { 'content-type': type }),
    };
    const sent = request(new URL(path, `http://${host}`), { method, agent, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        if (status >= 400)
          reject(new Error(`${method} ${path}: ${String(status)} ${Buffer.concat(parts).toString()}`));
        else resolve({ status, headers: response.headers, body: Buffer.concat(parts) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function upload(bytes: Buffer): Promise<void> {
  const { headers } = await send('POST', `/v2/${to}/blobs/uploads/`);
  const location = new URL(headers.location ?? '', `http://${host}`);
  location.searchParams.set('digest', digestOf(bytes));
  await send('PUT', `${location.pathname}${location.search}`, bytes, 'application/octet-stream');
}

interface Manifest {
  config: { digest: string; size: number };
  layers: { mediaType: string; digest: string; size: number }[];
}

async function main(): Promise<void> {
  const layer = readFileSync(layerFile);
  const manifest = JSON.parse(
    (await send('GET', `/v2/${from}/manifests/${base}`)).body.toString(),
  ) as Manifest;
  const mounts = manifest.layers.map(({ digest }) =>
    send('POST', `/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`),
  );
  const config = JSON.parse(
    (await send('GET', `/v2/${from}/blobs/${manifest.config.digest}`)).body.toString(),
  ) as {
    rootfs: { diff_ids: string[] };
  };
  config.rootfs.diff_ids.push(digestOf(layer));
  const configBytes = Buffer.from(JSON.stringify(config));
  await Promise.all([...mounts, upload(layer), upload(configBytes)]);
  manifest.config = { ...manifest.config, digest: digestOf(configBytes), size: configBytes.length };
  manifest.layers.push({
    mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    digest: digestOf(layer),
    size: layer.length,
  });
  await send('PUT', `/v2/${to}/manifests/bare`, Buffer.from(JSON.stringify(manifest)), MANIFEST);
  agent.destroy();
}

void main();
