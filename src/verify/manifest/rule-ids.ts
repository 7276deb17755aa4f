/** Rules of manifests, in the order of the documentation. Stable: people suppress findings by them. */
export const MANIFEST_RULE_IDS = [
  'duplicate-key',
  'api-version',
  'object-name',
  'unknown-field',
  'apply-limit',
  'role-label-missing',
  'osimageurl-tag',
  'osimageurl-invalid',
  'extensions-image',
  'extension-unknown',
  'kernel-type-invalid',
  'fips-day-two',
  'ignition-structure',
  'ignition-version',
  'unreconcilable',
  'mode-invalid',
  'mode-octal',
  'mode-decimal',
  'mode-too-large',
  'mode-world-writable',
] as const;

export type ManifestRuleId = (typeof MANIFEST_RULE_IDS)[number];
