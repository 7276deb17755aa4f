import type { ManifestRuleId } from '../../src/verify/manifest/rule-ids.ts';
import type { RuleText } from './check-texts.ts';

/** What a rule of manifests is about, and what comes of breaking it. */
export interface ManifestRuleText extends RuleText {
  /** One sentence. */
  readonly why: string;
}

const DIGEST = 'Write HOST/REPOSITORY@sha256:..., as the registry answers for the image.';

export const MANIFEST_RULE_TEXTS: Readonly<Record<ManifestRuleId, ManifestRuleText>> = {
  'duplicate-key': {
    title: 'Duplicate key',
    holds: 'No key stands twice in a mapping.',
    why: 'Strict readers refuse it; others take the last one and lose the first without a word.',
    help: 'Keep one of them.',
  },
  'api-version': {
    title: 'API version',
    holds: 'Objects are of the version of their API that clusters serve.',
    why: 'The API server refuses versions that it does not serve; old ones had other fields.',
    help: 'Write the version that the finding names.',
  },
  'object-name': {
    title: 'Name',
    holds: 'The name of an object is a DNS name in lower case.',
    why: 'The API server refuses the object.',
    help: 'Use lower-case letters, digits, "-" and ".", with a letter or digit at both ends.',
  },
  'unknown-field': {
    title: 'Unknown field',
    holds: 'Each field of spec is one that the API has.',
    why: 'The API server drops fields that it does not know, and what they were to do is not done.',
    help: 'Correct the name, or remove it. Nodes are chosen by the pool, never by a MachineConfig.',
  },
  'apply-limit': {
    title: 'Size for kubectl apply',
    holds: 'The object has at most 262,144 bytes as JSON.',
    why: 'kubectl apply keeps the whole object in an annotation, which cannot be larger.',
    help: 'Use oc apply --server-side, oc create or oc replace.',
  },
  'role-label-missing': {
    title: 'Role label',
    holds: 'A MachineConfig has the label machineconfiguration.openshift.io/role.',
    why: 'No pool selects it, and nothing says so.',
    help: 'Add the label with the name of a pool.',
  },
  'osimageurl-tag': {
    title: 'OS image by tag',
    holds: 'osImageURL names an image by digest.',
    why: 'Nodes pull a tag once and never look again when it moves: nodes of one pool run different images.',
    help: DIGEST,
  },
  'osimageurl-invalid': {
    title: 'OS image',
    holds: 'osImageURL is the plain name of an image in a registry, by digest and without a tag.',
    why: 'Nodes put their own transport before the name and compare it with what they booted, letter by letter.',
    help: DIGEST,
  },
  'extensions-image': {
    title: 'Extensions image',
    holds: 'baseOSExtensionsContainerImage names an image by digest.',
    why: 'The packages that nodes install must be of the same build as their OS image.',
    help: DIGEST,
  },
  'extension-unknown': {
    title: 'Extension',
    holds: 'Extensions are among those that the release has.',
    why: 'The operator refuses others, and the pool degrades.',
    help: 'Correct the name; other packages belong into a layered image.',
  },
  'kernel-type-invalid': {
    title: 'Kernel type',
    holds: 'kernelType is default, realtime or 64k-pages.',
    why: 'The pool degrades.',
    help: 'Write one of the three.',
  },
  'fips-day-two': {
    title: 'FIPS',
    holds: 'FIPS is chosen at installation.',
    why: 'Nodes that run refuse to change it, and the pool degrades.',
    help: 'Set fips: true in install-config.yaml.',
  },
  'ignition-structure': {
    title: 'Structure of the Ignition config',
    holds: 'spec.config has the fields and types of its version of Ignition.',
    why: 'The config cannot be read, and the pool degrades; fields that Ignition does not know do nothing.',
    help: 'Correct the field that the finding names.',
  },
  'ignition-version': {
    title: 'Ignition version',
    holds: 'The release takes this version of Ignition configs.',
    why: 'The operator stops with "unsupported config version": 3.4.0 needs 4.14, 3.5.0 needs 4.19, and none takes 3.6.0.',
    help: 'Write 3.2.0, which every release from 4.8 on takes.',
  },
  unreconcilable: {
    title: 'Only at installation',
    holds: 'The config changes files, units, and keys or password of the user core, and nothing else.',
    why: 'Disks, file systems, links, directories, other users and Ignition kernel arguments are never changed on a node that runs: the pool degrades.',
    help: 'Use what the finding names instead, or add it to the manifests of the installer.',
  },
  'mode-invalid': {
    title: 'Mode',
    holds: 'A mode is a whole number from 0 to 4095.',
    why: 'Ignition refuses the config.',
    help: 'Write a decimal number, such as 420 for 0644.',
  },
  'mode-octal': {
    title: 'Octal mode',
    holds: 'Modes are written as decimal numbers.',
    why: 'A number that begins with 0 is octal to oc, and decimal to tools that read YAML 1.2 or JSON.',
    help: 'Write 420 for 0644, 493 for 0755, 384 for 0600.',
  },
  'mode-decimal': {
    title: 'Octal digits in a decimal mode',
    holds: 'The decimal number is the mode that was meant.',
    why: '644 is mode 01204, which the operator refuses; 400 is mode 0620, which it does not.',
    help: 'Write 420 for 0644, 493 for 0755, 384 for 0600.',
  },
  'mode-too-large': {
    title: 'Setuid, setgid and sticky',
    holds: 'Modes are at most 0777.',
    why: 'The operator refuses others, and the pool degrades.',
    help: 'Leave the bits out.',
  },
  'mode-world-writable': {
    title: 'World-writable file',
    holds: 'Files can be written by root alone.',
    why: 'Every process of the node can change what root runs or reads.',
    help: 'Write 493 for programs and 420 for other files.',
  },
};
