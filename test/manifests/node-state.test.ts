import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { makeNodeState } from '../../src/manifests/node-state.ts';
import { NODE_STATE_SCRIPT } from '../../src/manifests/node-state.generated.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { withTemporaryDirectory } from '../support/io.ts';

const FILE = join(import.meta.dirname, '../../pods/enrolment-state.sh');
const SCRIPT = readFileSync(FILE, 'utf8');
const CERTIFICATE = parseCertificate(readFileSync('fixtures/quickstart/keys/TEST-ONLY.der'));
const KEY_ID = CERTIFICATE.subjectKeyId!.toString('hex');

describe('node-state.generated.ts', () => {
  it('is made from pods/enrolment-state.sh', async () => {
    const literal = SCRIPT.replace(/[\\`]|\$\{/g, '\\$&');
    const source =
      '// Made from pods/ by "npm test -- -u". Do not edit.\n\n' +
      `/** \`pods/enrolment-state.sh\` */\nexport const NODE_STATE_SCRIPT = \`${literal}\`;\n`;

    await expect(source).toMatchFileSnapshot('../../src/manifests/node-state.generated.ts');
  });

  it('holds the script byte for byte', () => {
    expect(NODE_STATE_SCRIPT).toBe(SCRIPT);
  });
});

interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly env: readonly {
      readonly name: string;
      readonly valueFrom?: { readonly configMapKeyRef?: { readonly name: string; readonly key: string } };
    }[];
    readonly volumeMounts: readonly { readonly name: string }[];
  }[];
  readonly volumes: readonly { readonly name: string }[];
}

type Kubernetes = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
};

/** The objects as a reader of YAML sees them, by kind. */
function objectsOf(image?: string): ReadonlyMap<string, Kubernetes> {
  const documents = parseAllDocuments(toYaml(makeNodeState(CERTIFICATE, image)));
  return new Map(documents.map((one) => one.toJS() as Kubernetes).map((one) => [one.kind, one]));
}

function podOf(objects: ReadonlyMap<string, Kubernetes>): PodSpec {
  const { spec } = objects.get('DaemonSet') as unknown as {
    spec: {
      selector: { matchLabels: Record<string, string> };
      template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    };
  };
  expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
  return spec.template.spec;
}

describe('makeNodeState()', () => {
  it('makes objects that fit each other, in the order in which they are applied', () => {
    const objects = objectsOf();

    expect([...objects.keys()]).toEqual([
      ...['Namespace', 'ServiceAccount', 'RoleBinding', 'ConfigMap', 'DaemonSet'],
    ]);
    const namespace = objects.get('Namespace')?.metadata.name;
    for (const [kind, { metadata }] of objects)
      expect(metadata.namespace, kind).toBe(kind === 'Namespace' ? undefined : namespace);
    const pod = podOf(objects);
    const [container] = pod.containers;
    expect(objects.get('ServiceAccount')?.metadata.name).toBe(pod.serviceAccountName);
    expect(objects.get('RoleBinding')).toMatchObject({
      roleRef: { kind: 'ClusterRole', name: 'system:openshift:scc:privileged' },
      subjects: [{ kind: 'ServiceAccount', name: pod.serviceAccountName, namespace }],
    });
    expect(container?.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
    const { data, metadata } = objects.get('ConfigMap') as unknown as {
      data: Record<string, string>;
      metadata: { name: string };
    };
    for (const { valueFrom } of container?.env ?? []) {
      const reference = valueFrom?.configMapKeyRef;
      if (reference !== undefined) expect(reference.name).toBe(metadata.name);
      if (reference !== undefined) expect(data[reference.key]).toMatch(/^[0-9a-f]+$/);
    }
    expect(data).toMatchObject({ certificate: CERTIFICATE.der.toString('hex'), 'key-id': KEY_ID });
    expect(data['enrolment-state.sh']).toBe(SCRIPT);
  });

  it('takes the image of the release, by a trigger for this very container, or the one that is named', () => {
    const byTrigger = objectsOf();
    const [container] = podOf(byTrigger).containers;
    const triggers = byTrigger.get('DaemonSet')?.metadata.annotations?.['image.openshift.io/triggers'] ?? '';

    expect(JSON.parse(triggers)).toEqual([
      {
        from: { kind: 'ImageStreamTag', name: 'tools:latest', namespace: 'openshift' },
        fieldPath: `spec.template.spec.containers[?(@.name=="${container?.name}")].image`,
      },
    ]);
    const named = objectsOf('registry.example.com/ubi9@sha256:abc');
    expect(podOf(named).containers[0]?.image).toBe('registry.example.com/ubi9@sha256:abc');
    expect(named.get('DaemonSet')?.metadata.annotations).toBeUndefined();
  });
});

const VARIABLES = 'sys/firmware/efi/efivars';
const DB = `${VARIABLES}/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f`;
const MOK = `${VARIABLES}/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23`;
const MOK_NEW = `${VARIABLES}/MokNew-605dab50-e046-4300-abb6-3dd810dd8b23`;
const SECURE_BOOT = `${VARIABLES}/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c`;
const SETUP_MODE = `${VARIABLES}/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c`;
const LOCKDOWN = 'sys/kernel/security/lockdown';
const ENFORCE = 'sys/module/module/parameters/sig_enforce';
const ATTRIBUTES = Buffer.from([7, 0, 0, 0]);
const list = Buffer.concat([ATTRIBUTES, Buffer.alloc(44, 1), CERTIFICATE.der]);
const keys = (id: string): string =>
  `2a3b4c5d I------     1 perm 1f010000     0     0 asymmetri Acme: ${id}: X509.rsa ${id.slice(-8)} []\n`;
const ON = Buffer.concat([ATTRIBUTES, Buffer.from([1])]);
const OFF = Buffer.concat([ATTRIBUTES, Buffer.from([0])]);

/** What the script says of a made-up node, and how "ready" ends. */
async function look(
  files: Readonly<Record<string, string | Buffer>>,
  verb = 'show',
): Promise<{ readonly said: string; readonly ready: number }> {
  return withTemporaryDirectory(async (directory) => {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), content);
    }
    const env = {
      PATH: process.env['PATH'],
      KMODLAYER_ROOT: directory,
      KMODLAYER_NODE: 'worker-1',
      KMODLAYER_CERTIFICATE: CERTIFICATE.der.toString('hex'),
      KMODLAYER_KEY_ID: KEY_ID,
      KMODLAYER_SECONDS: '1',
    };
    const run = promisify(execFile);
    const { stdout } = await run('sh', [FILE, verb], { env });
    const ready = await run('sh', [FILE, 'ready'], { env }).then(
      () => 0,
      (error: unknown) => Number((error as { code: unknown }).code),
    );
    return { said: stdout, ready };
  });
}

describe('enrolment-state.sh', () => {
  it('tells a node that trusts the certificate', async () => {
    const { said, ready } = await look({
      [SECURE_BOOT]: ON,
      [SETUP_MODE]: OFF,
      [DB]: list,
      [LOCKDOWN]: 'none [integrity] confidentiality\n',
      [ENFORCE]: 'Y\n',
      'proc/keys': keys('00aa') + keys(KEY_ID),
    });

    expect(said).toBe(`worker-1: the kernel trusts the certificate
  state               enrolled
  secure-boot         on
  lockdown            integrity
  signatures-enforced yes
  certificate-in-db   yes
  certificate-in-mok  no
  known-to-kernel     yes
`);
    expect(ready).toBe(0);
  });

  it.each([
    ['not-read', 'on', { [SECURE_BOOT]: ON, [MOK]: list, 'proc/keys': keys('00aa') }],
    ['not-read', 'off', { [SECURE_BOOT]: OFF, [DB]: list, 'proc/keys': keys('00aa') }],
    ['asked-for', 'off', { [SECURE_BOOT]: OFF, [MOK_NEW]: list, 'proc/keys': keys('00aa') }],
    ['missing', 'setup', { [SECURE_BOOT]: OFF, [SETUP_MODE]: ON, 'proc/keys': keys('00aa') }],
    ['missing', 'none', { 'proc/keys': '' }],
    ['missing', 'unknown', { [DB]: list.subarray(0, -1), 'proc/keys': keys(`00${KEY_ID}`) }],
    ['unknown', 'none', {}],
  ])('says %s with Secure Boot %s', async (state, secureBoot, files) => {
    const { said, ready } = await look(files);

    expect(said).toMatch(new RegExp(`^  state +${state}\\n  secure-boot +${secureBoot}$`, 'm'));
    expect(ready).toBe(1);
  });

  it('does not take a wrong word', async () => {
    await expect(look({}, 'help')).rejects.toMatchObject({ code: 2 });
  });
});
