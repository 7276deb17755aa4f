import { createHash } from 'node:crypto';
import type { IgnitionFile } from '../ignition-file.ts';
import type { SystemdUnit } from '../systemd-unit.ts';
import { hostPrefix } from './host-config.ts';
import { LOADERS } from './loaders.ts';
import type { Day1Options, Day1Request } from './options.ts';
import { parseDay1Options } from './parse-options.ts';
import { VERIFY_SH } from './verify.generated.ts';

/**
 * A script that says on a node whether all of a MachineConfig of Day 1 is there and did its work: files, units, kernel
 * arguments, modules and their parameters. It needs nothing but what nodes have, and changes nothing.
 *
 * @throws {SpecError} `VALUE_INVALID` as `makeDay1MachineConfig` does.
 */
export function makeVerifyScript(options: Day1Options): string {
  const request = parseDay1Options(options);
  const { files, units, kernelArguments } = LOADERS[request.loader](request);
  const facts = [
    ...files.flatMap(factsOfFile),
    ...units.flatMap(factsOfUnit),
    ...kernelArguments.map((argument) => ['argument', argument]),
    ...(request.isRemoval ? [] : factsOfModules(request)),
  ];
  const lines = facts.map((fact) => `${fact.join('\t')}\n`).join('');
  return VERIFY_SH.replace(/(?<=^ {2}cat <<'FACTS'\n)/m, () => lines);
}

function factsOfFile({ path, mode, contents }: IgnitionFile): readonly (readonly string[])[] {
  const bytes = Buffer.from(contents.source.slice(contents.source.indexOf(',') + 1), 'base64');
  return [
    ['file', path, createHash('sha256').update(bytes).digest('hex')],
    ['mode', path, mode.toString(8)],
  ];
}

/** Units that are not there but for being started by others have no state to compare. */
function factsOfUnit({ name, enabled, mask }: SystemdUnit): readonly (readonly string[])[] {
  if (mask === true) return [['unit', name, 'masked']];
  return enabled === true ? [['unit', name, 'enabled']] : [];
}

function factsOfModules(request: Day1Request): readonly (readonly string[])[] {
  const { drivers, loader, name } = request;
  const modules = drivers.flatMap((driver) => driver.modules);
  const ours = new Set<string>(modules.map((module) => module.name));
  const replaced = new Set(modules.flatMap(({ replaces }) => replaces).filter((one) => !ours.has(one)));
  const facts = [
    ...[...replaced].map((module) => ['replaced', module]),
    ...modules.flatMap((module) => [
      ['module', module.name],
      ...Object.entries(module.parameters).map(([key, value]) => [
        'parameter',
        module.name,
        `${key}=${value}`,
      ]),
    ]),
  ];
  if (loader !== 'host') {
    return [
      ...facts,
      ['note', `whether the modules are those of the image is not known: ${loader} does not keep them`],
    ];
  }
  const script = `/usr/local/bin/${name}-day1.sh`;
  return [
    ...facts,
    ...drivers.map((driver) => ['driver', script, `/etc/kmodlayer/${hostPrefix(request, driver)}.conf`]),
  ];
}
