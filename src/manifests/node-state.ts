import type { Certificate } from '../sign/certificate.ts';
import { readDer } from '../sign/der.ts';
import { NODE_STATE_SCRIPT } from './node-state.generated.ts';

/** Where the objects live; everything goes when the namespace is deleted. */
const NAMESPACE = 'kmodlayer-enrolment';
const NAME = 'enrolment-state';
const LABELS = { 'app.kubernetes.io/name': NAME, 'app.kubernetes.io/part-of': 'kmodlayer' };
const SCRIPT_DIRECTORY = '/kmodlayer';
const NODE_DIRECTORY = '/node';
const LOOK_SECONDS = 30;

/**
 * The image of the release itself that `oc debug node` runs as well: every cluster has it, mirrored ones too. The trigger
 * puts its pullspec into the DaemonSet.
 */
const TOOLS_STREAM = { kind: 'ImageStreamTag', name: 'tools:latest', namespace: 'openshift' };
/** Stands there until the trigger has done so: the same image, from the registry of the cluster. */
const TOOLS_IMAGE = 'image-registry.openshift-image-registry.svc:5000/openshift/tools:latest';

/** A Kubernetes object. */
export interface NodeStateObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * Objects that show by a pod on each node whether it trusts a certificate: the pod is ready when the kernel knows the key,
 * and its log tells Secure Boot, lockdown, and where the certificate was found.
 *
 * The pods are root without capabilities; they read `/sys` and `/proc/keys` of the node, and need `spc_t` for that.
 *
 * @param image Any image with a POSIX shell, cat, od, tr and sleep; the release's own when absent.
 */
export function makeNodeState(certificate: Certificate, image?: string): readonly NodeStateObject[] {
  const metadata = { name: NAME, namespace: NAMESPACE, labels: LABELS };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: NAMESPACE,
        labels: {
          ...LABELS,
          'pod-security.kubernetes.io/enforce': 'privileged',
          'pod-security.kubernetes.io/audit': 'privileged',
          'pod-security.kubernetes.io/warn': 'privileged',
          'security.openshift.io/scc.podSecurityLabelSync': 'false',
        },
        // Else a default selector of the cluster would keep the pods from some nodes.
        annotations: { 'openshift.io/node-selector': '' },
      },
    },
    object('v1', 'ServiceAccount', { metadata, automountServiceAccountToken: false }),
    object('rbac.authorization.k8s.io/v1', 'RoleBinding', {
      metadata: { ...metadata, name: `${NAME}-scc` },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'system:openshift:scc:privileged',
      },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: NAMESPACE }],
    }),
    object('v1', 'ConfigMap', {
      metadata,
      data: {
        'enrolment-state.sh': NODE_STATE_SCRIPT,
        certificate: certificate.der.toString('hex'),
        'key-id': keyIdOf(certificate),
      },
    }),
    object('apps/v1', 'DaemonSet', {
      metadata: {
        ...metadata,
        ...(image === undefined ? { annotations: { 'image.openshift.io/triggers': trigger() } } : {}),
      },
      spec: {
        selector: { matchLabels: { 'app.kubernetes.io/name': NAME } },
        // A node that is not enrolled never gets ready, and must not keep the others from being looked at.
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } },
        template: { metadata: { labels: LABELS }, spec: podSpec(image ?? TOOLS_IMAGE) },
      },
    }),
  ];
}

function object(
  apiVersion: string,
  kind: string,
  rest: { readonly metadata: NodeStateObject['metadata'] } & Readonly<Record<string, unknown>>,
): NodeStateObject {
  return { apiVersion, kind, ...rest };
}

/** @see https://docs.openshift.com/container-platform/4.18/openshift_images/triggering-updates-on-imagestream-changes.html */
function trigger(): string {
  return JSON.stringify([
    { from: TOOLS_STREAM, fieldPath: `spec.template.spec.containers[?(@.name=="${NAME}")].image` },
  ]);
}

function podSpec(image: string): object {
  const command = (verb: string): readonly string[] => [
    '/bin/sh',
    `${SCRIPT_DIRECTORY}/enrolment-state.sh`,
    verb,
  ];
  const fromConfig = (name: string, key: string): object => ({
    name,
    valueFrom: { configMapKeyRef: { name: NAME, key } },
  });
  return {
    serviceAccountName: NAME,
    automountServiceAccountToken: false,
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'system-node-critical',
    terminationGracePeriodSeconds: 5,
    containers: [
      {
        name: NAME,
        image,
        command: command('watch'),
        env: [
          { name: 'KMODLAYER_NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          { name: 'KMODLAYER_ROOT', value: NODE_DIRECTORY },
          { name: 'KMODLAYER_SECONDS', value: String(LOOK_SECONDS) },
          fromConfig('KMODLAYER_CERTIFICATE', 'certificate'),
          fromConfig('KMODLAYER_KEY_ID', 'key-id'),
        ],
        readinessProbe: {
          exec: { command: command('ready') },
          periodSeconds: LOOK_SECONDS,
          timeoutSeconds: 10,
        },
        resources: { requests: { cpu: '5m', memory: '16Mi' } },
        securityContext: {
          runAsUser: 0,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
          seLinuxOptions: { type: 'spc_t' },
        },
        volumeMounts: [
          { name: 'script', mountPath: SCRIPT_DIRECTORY, readOnly: true },
          // With what is mounted below: variables of the firmware, and securityfs.
          {
            name: 'sys',
            mountPath: `${NODE_DIRECTORY}/sys`,
            readOnly: true,
            mountPropagation: 'HostToContainer',
          },
          // The container's own is masked.
          { name: 'keys', mountPath: `${NODE_DIRECTORY}/proc/keys`, readOnly: true },
        ],
      },
    ],
    volumes: [
      {
        name: 'script',
        configMap: { name: NAME, items: [{ key: 'enrolment-state.sh', path: 'enrolment-state.sh' }] },
      },
      { name: 'sys', hostPath: { path: '/sys', type: 'Directory' } },
      { name: 'keys', hostPath: { path: '/proc/keys', type: 'File' } },
    ],
  };
}

/**
 * By what the kernel names the key in `/proc/keys`.
 *
 * @see linux `crypto/asymmetric_keys/x509_public_key.c`, `x509_key_preparse`
 */
function keyIdOf({ subjectKeyId, serial }: Certificate): string {
  return (subjectKeyId ?? readDer(serial).content).toString('hex');
}
