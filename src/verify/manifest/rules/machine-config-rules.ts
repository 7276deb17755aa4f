import { OciError } from '../../../errors.ts';
import { parseReference } from '../../../oci/reference.ts';
import { type Draft, reporterOf, type Report } from '../finding.ts';
import { type MachineConfig, ROLE_LABEL } from '../machine-config.ts';
import type { ManifestSet } from '../rule.ts';
import { textOf, textsOf } from '../values.ts';

const KERNEL_TYPES: readonly string[] = ['', 'default', 'realtime', '64k-pages'];

/** @see machine-config-operator, `SupportedExtensions()` */
const EXTENSIONS: readonly string[] = [
  'two-node-ha',
  'ipsec',
  'usbguard',
  'kerberos',
  'kernel-devel',
  'sandboxed-containers',
  'sysstat',
];

/** Rules on the fields of MachineConfigs beside Ignition, each looked at alone. */
export function machineConfigRules({ machineConfigs, pools }: ManifestSet, drafts: Draft[]): void {
  const selected = new Set(pools.flatMap(({ configs }) => configs));
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    roleLabel(config, selected.has(config), report);
    osImage(config, report);
    extensions(config, report);
    kernelType(config, report);
    fips(config, report);
  }
}

function roleLabel(config: MachineConfig, isSelected: boolean, report: Report): void {
  if (config.role !== undefined || isSelected) return;
  report({
    rule: 'role-label-missing',
    severity: 'error',
    path: config.manifest.value['metadata'] === undefined ? [] : ['metadata', 'labels'],
    message: `it has no label ${ROLE_LABEL}: no pool selects it, and nothing says so`,
    hint: `Label it ${ROLE_LABEL}: worker, or with the name of its pool.`,
  });
}

function osImage({ spec }: MachineConfig, report: Report): void {
  const image = spec['osImageURL'];
  if (image !== undefined && image !== null && image !== '') {
    const wrong = imageProblem(image);
    if (wrong !== undefined) {
      const { kind, why } = wrong;
      report({
        rule: kind === 'tag' ? 'osimageurl-tag' : 'osimageurl-invalid',
        severity: kind === 'tag' ? 'warning' : 'error',
        path: ['spec', 'osImageURL'],
        message: why,
        hint: 'Write HOST/REPOSITORY@sha256:... as a registry answers for the image (skopeo inspect --format {{.Digest}}), without a tag beside it.',
      });
    }
  }
  const extensionsImage = textOf(spec['baseOSExtensionsContainerImage']);
  if (extensionsImage !== undefined && imageProblem(extensionsImage) !== undefined) {
    report({
      rule: 'extensions-image',
      severity: 'error',
      path: ['spec', 'baseOSExtensionsContainerImage'],
      message:
        'baseOSExtensionsContainerImage is not an image by digest: what nodes install changes when a tag moves',
      hint: 'Write HOST/REPOSITORY@sha256:..., the extensions of the release that the OS image was built on.',
    });
  }
}

/** What keeps nodes from booting exactly this image. */
function imageProblem(
  image: unknown,
): { readonly kind: 'tag' | 'invalid'; readonly why: string } | undefined {
  const invalid = (why: string): { readonly kind: 'invalid'; readonly why: string } => ({
    kind: 'invalid',
    why,
  });
  if (typeof image !== 'string') return invalid('it is no text: no node can pull it');
  if (image !== image.trim())
    return invalid(
      'there are blanks around the name: nodes compare it with what they booted, letter by letter',
    );
  const transport =
    /^([a-z][a-z0-9+-]*):(?:\/\/|(?=[^/]*:))/.exec(image)?.[1] ??
    /^(oci|oci-archive|docker-archive|containers-storage|ostree-unverified-registry):/.exec(image)?.[1];
  if (transport !== undefined)
    return invalid(
      `it names a transport (${transport}:): nodes put their own before it, and pull from registries only`,
    );
  try {
    const { tag, digest } = parseReference(image);
    if (digest !== undefined && tag !== undefined)
      return {
        kind: 'invalid',
        why: 'it has a tag beside its digest: nodes refuse to pull such a name, or never find it equal to what they booted',
      };
    if (digest === undefined)
      return {
        kind: 'tag',
        why: `it is an image by tag${tag === undefined ? ' (latest, as none is written)' : ''}: nodes pull it once and never look again when the tag moves, so that nodes of one pool run different images`,
      };
    return undefined;
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return invalid(`${error.message}: no node can pull it`);
  }
}

function extensions({ spec }: MachineConfig, report: Report): void {
  const names = textsOf(spec['extensions']);
  names.forEach((name, at) => {
    if (EXTENSIONS.includes(name)) return;
    report({
      rule: 'extension-unknown',
      severity: 'error',
      path: ['spec', 'extensions', at],
      message: `${JSON.stringify(name.slice(0, 60))} is no extension: the pool degrades`,
      hint: `Extensions are ${EXTENSIONS.join(', ')}; packages beside them belong into a layered image.`,
    });
  });
}

function kernelType({ spec }: MachineConfig, report: Report): void {
  const type = spec['kernelType'];
  if (type === undefined || type === null) return;
  if (typeof type === 'string' && KERNEL_TYPES.includes(type)) return;
  report({
    rule: 'kernel-type-invalid',
    severity: 'error',
    path: ['spec', 'kernelType'],
    message: 'the kernel type is none: the pool degrades with "kernelType is invalid"',
    hint: 'Write default, realtime or 64k-pages.',
  });
}

function fips({ spec, manifest }: MachineConfig, report: Report): void {
  if (spec['fips'] !== true || manifest.isLive) return;
  report({
    rule: 'fips-day-two',
    severity: 'warning',
    path: ['spec', 'fips'],
    message:
      'FIPS can only be chosen when the cluster is installed: on one that runs, nodes refuse the change and the pool degrades',
    hint: 'Set fips: true in install-config.yaml, and leave it out here.',
  });
}
