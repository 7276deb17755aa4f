import { lintManifests } from '../../src/verify/manifest/lint-manifests.ts';
import { readManifests } from '../../src/verify/manifest/read-manifests.ts';
import type { LintOptions } from '../../src/verify/manifest/rule.ts';

/** Lints texts as files named `a.yaml`, `b.yaml` and so on; `rule severity line path` of each finding. */
export function findingsOf(texts: string | readonly string[], options: LintOptions = {}): readonly string[] {
  return reportOf(texts, options).findings.map(
    ({ rule, severity, file, line, path }) =>
      `${rule} ${severity} ${file === 'a.yaml' ? '' : `${file}:`}${line} ${path}`,
  );
}

export function reportOf(
  texts: string | readonly string[],
  options: LintOptions = {},
): ReturnType<typeof lintManifests> {
  const manifests = [texts].flat().flatMap((text, at) => {
    const { manifests: read, problems } = readManifests(`${String.fromCharCode(97 + at)}.yaml`, text);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    return read;
  });
  return lintManifests(manifests, options);
}

/** A MachineConfig of the pool `worker` with these lines below `spec`. */
export function machineConfig(spec: string, { name = '99-worker-x', role = 'worker' } = {}): string {
  return [
    'apiVersion: machineconfiguration.openshift.io/v1',
    'kind: MachineConfig',
    `metadata: { name: ${name}, labels: { machineconfiguration.openshift.io/role: ${role} } }`,
    'spec:',
    ...spec.split('\n').map((line) => (line === '' ? '' : `  ${line}`)),
    '',
  ].join('\n');
}

/** The same with these lines below `spec.config`, beside the version: the first of them is line 7. */
export function ignition(config: string, version = '3.2.0'): string {
  return machineConfig(
    `config:\n  ignition: { version: ${version} }\n${config
      .split('\n')
      .map((line) => `  ${line}`)
      .join('\n')}`,
  );
}

/** The same with one file; the lines are below its entry, and the first of them is line 10. */
export function withFile(lines: string, path = '/etc/x.conf'): string {
  return ignition(
    `storage:\n  files:\n    - path: ${path}\n${lines
      .split('\n')
      .map((line) => `      ${line}`)
      .join('\n')}`,
  );
}
