import { createHash } from 'node:crypto';
import type { Report } from '../../finding.ts';
import type { FileEntry, MachineConfig } from '../../machine-config.ts';
import type { Service } from './service.ts';

/** Scripts of KMM's ProduceMachineConfig as it ships them: their sizes, and the ends of their hashes. */
const KMM_SCRIPTS: ReadonlyMap<number, RegExp> = new Map([
  [3553, /^925c8d68.*2077$/],
  [1117, /^ee47a180.*12cf$/],
  [829, /^66aefec8.*b962$/],
]);

/** Whether a file is one of KMM's scripts, as it is or changed a little. */
export function isKmmScript({ path, content }: FileEntry): boolean {
  if (!path.endsWith('.sh')) return false;
  const read = content();
  if (read.kind !== 'bytes' || read.bytes.length > 64 * 1024) return false;
  const { bytes } = read;
  const hash = KMM_SCRIPTS.get(bytes.length);
  return (
    bytes.includes('kmm_config_file_filepath') ||
    (bytes.includes('kmm-pod') && bytes.includes('kmm-volume')) ||
    hash?.test(createHash('sha256').update(bytes).digest('hex')) === true
  );
}

/** The scripts of KMM as it ships them, and what they do with the name of the image. */
export function kmmHazards({ files }: MachineConfig, services: readonly Service[], report: Report): void {
  const script = files.find(isKmmScript);
  if (script === undefined) return;
  report({
    rule: 'kmm-day1-scripts',
    severity: 'warning',
    path: script.at,
    message:
      'these are the scripts of KMM: a module that cannot be loaded looks like success, a pod that a power loss leaves behind makes all further loads fail, and two drivers on one node use the same names',
    hint: 'Make the MachineConfig with kmodlayer machine-config day1 --loader kmm: the same units and files, without these defects.',
  });
  for (const { unit } of services) {
    const option = unit
      .parsed()
      ?.options.find(({ name, value }) => name === 'Environment' && value.includes('KERNEL_MODULE_IMAGE='));
    const image = /KERNEL_MODULE_IMAGE=([^"'\s]+)/.exec(option?.value ?? '')?.[1];
    if (image === undefined || !/@|:[^/]*$/.test(image)) continue;
    report({
      rule: 'kmm-day1-image',
      severity: 'error',
      path: [...unit.at, 'contents'],
      lineInText: option?.line,
      message: `KMM's script adds ":" and the kernel release to ${image.slice(0, 200)}, which has a ${image.includes('@') ? 'digest' : 'tag'} already: no such name can be pulled`,
      hint: 'Name the repository alone, with a tag for each kernel release in it.',
    });
    break;
  }
}
