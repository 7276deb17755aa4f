import type { ManifestRuleId } from '../../../src/verify/manifest/rule-ids.ts';
import type { Text } from './text.ts';

/** Rules of objects, of what MachineConfigs set beside files and units, and of pools. */
export const OBJECT_TEXTS = {
  'duplicate-key': [
    'Duplicate key',
    'No key stands twice in a mapping.',
    'Strict readers refuse it; others take the last one and lose the first without a word.',
    'Keep one of them.',
  ],
  'api-version': [
    'API version',
    'Objects are of the version of their API that clusters serve.',
    'The API server refuses versions that it does not serve; old ones had other fields.',
    'Write the version that the finding names.',
  ],
  'object-name': [
    'Name',
    'The name of an object is a DNS name in lower case.',
    'The API server refuses the object.',
    'Use lower-case letters, digits, "-" and ".", with a letter or digit at both ends.',
  ],
  'unknown-field': [
    'Unknown field',
    'Each field of spec is one that the API has.',
    'The API server drops fields that it does not know, and what they were to do is not done.',
    'Correct the name, or remove it. Nodes are chosen by the pool, never by a MachineConfig.',
  ],
  'apply-limit': [
    'Size for kubectl apply',
    'The object has at most 262,144 bytes as JSON.',
    'kubectl apply keeps the whole object in an annotation, which cannot be larger.',
    'Use oc apply --server-side, oc create or oc replace.',
  ],
  'role-label-missing': [
    'Role label',
    'A MachineConfig has the label machineconfiguration.openshift.io/role.',
    'No pool selects it, and nothing says so.',
    'Add the label with the name of a pool.',
  ],
  'role-unselected': [
    'Role that nobody selects',
    'A pool selects the role of each MachineConfig.',
    'It reaches no node, and nothing says so.',
    'Make the pool, selecting its own name and worker, or correct the label.',
  ],
  'osimageurl-tag': [
    'OS image by tag',
    'osImageURL names an image by digest.',
    'Nodes pull a tag once and never look again when it moves: nodes of one pool run different images.',
    'Write HOST/REPOSITORY@sha256:..., as the registry answers for the image.',
  ],
  'osimageurl-invalid': [
    'OS image',
    'osImageURL is the plain name of an image in a registry, by digest and without a tag.',
    'Nodes put their own transport before the name and compare it with what they booted, letter by letter.',
    'Write HOST/REPOSITORY@sha256:..., as the registry answers for the image.',
  ],
  'osimageurl-overridden': [
    'Two OS images for one pool',
    'One MachineConfig of a pool sets osImageURL.',
    'A pool has one image: the last MachineConfig wins, and the drivers of the other image are on no node.',
    'Build one image with all drivers of the pool.',
  ],
  'osimageurl-stream': [
    'OS image and stream',
    'A pool has an OS image or a stream, not both.',
    'The operator refuses to render the pool, which degrades.',
    'Remove osImageStream from the pool.',
  ],
  'osimageurl-kernel-type': [
    'OS image and kernel type',
    'A pool with an OS image of its own keeps the kernel of that image.',
    'Nodes replace the kernel, and the modules in the image are for the one that is gone.',
    'Remove kernelType, or load the modules as Day 1 or Day 2 does.',
  ],
  'osimageurl-extensions': [
    'OS image and extensions',
    'A pool with an OS image and extensions says where the extensions come from.',
    'Extensions of another build do not fit: the packages cannot be installed, and the pool degrades.',
    'Set baseOSExtensionsContainerImage to the extensions of the same release.',
  ],
  'merge-order': [
    'Order of merging',
    'The same MachineConfig wins in each release.',
    'Before 4.15 the name alone decided; since then a MachineConfig of the pool itself wins over those of worker.',
    'Choose names that sort the same way in both orders, or say the release.',
  ],
  'extensions-image': [
    'Extensions image',
    'baseOSExtensionsContainerImage names an image by digest.',
    'The packages that nodes install must be of the same build as their OS image.',
    'Write HOST/REPOSITORY@sha256:..., as the registry answers for the image.',
  ],
  'extension-unknown': [
    'Extension',
    'Extensions are among those that the release has.',
    'The operator refuses others, and the pool degrades.',
    'Correct the name; other packages belong into a layered image.',
  ],
  'kernel-devel': [
    'kernel-devel and kernel type',
    'The extension kernel-devel is used with the default kernel alone.',
    'The operator refuses the combination, and the pool degrades.',
    'Build modules with the driver-toolkit.',
  ],
  'kernel-type-invalid': [
    'Kernel type',
    'kernelType is default, realtime or 64k-pages.',
    'The pool degrades.',
    'Write one of the three.',
  ],
  'kernel-type-differs': [
    'Two kernel types for one pool',
    'All MachineConfigs of a pool name the same kernel type.',
    'The last one that is not the default wins, and the other does nothing.',
    'Keep one of them.',
  ],
  'kernel-argument-doubled': [
    'Kernel argument twice',
    'A kernel argument is given once.',
    'Nodes get it twice, and taking one away is a reboot that changes nothing.',
    'Keep one of them.',
  ],
  'kernel-argument-contradicts': [
    'Kernel arguments that contradict',
    'A kernel argument has one value in a pool.',
    'Nodes get both, and which one counts is up to what reads it.',
    'Keep one of them.',
  ],
  'fips-day-two': [
    'FIPS',
    'FIPS is chosen at installation.',
    'Nodes that run refuse to change it, and the pool degrades.',
    'Set fips: true in install-config.yaml.',
  ],
  'ignition-structure': [
    'Structure of the Ignition config',
    'spec.config has the fields and types of its version of Ignition.',
    'The config cannot be read, and the pool degrades; fields that Ignition does not know do nothing.',
    'Correct the field that the finding names.',
  ],
  'ignition-version': [
    'Ignition version',
    'The release takes this version of Ignition configs.',
    'The operator stops with "unsupported config version": 3.4.0 needs 4.14, 3.5.0 needs 4.19, and none takes 3.6.0.',
    'Write 3.2.0, which every release from 4.8 on takes.',
  ],
  unreconcilable: [
    'Only at installation',
    'The config changes files, units, and keys or password of the user core, and nothing else.',
    'Disks, file systems, links, directories, other users and Ignition kernel arguments are never changed on a node that runs: the pool degrades.',
    'Use what the finding names instead, or add it to the manifests of the installer.',
  ],
} as const satisfies Partial<Record<ManifestRuleId, Text>>;
