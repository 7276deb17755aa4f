import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { Manifest } from '../manifest.ts';
import { isAtLeast, type Minor } from '../release.ts';
import type { ManifestSet } from '../rule.ts';
import {
  isMapping,
  listOf,
  type Mapping,
  mappingOf,
  textOf,
  textsOf,
  type Value,
  valueAt,
  type ValuePath,
} from '../values.ts';

const KMM = 'kmm.sigs.x-k8s.io/v1beta1';
const HUB = 'hub.kmm.sigs.x-k8s.io/v1beta1';

/**
 * Rules on the objects of the Kernel Module Management operator: what its webhook refuses, and what it lets pass.
 *
 * @see kernel-module-management, `internal/webhook/module.go`
 */
export function moduleRules({ manifests, options }: ManifestSet, drafts: Draft[]): void {
  for (const manifest of manifests) {
    const { kind, apiVersion, value, name } = manifest;
    const report = reporterOf(manifest, drafts);
    if (kind === 'Module' && apiVersion === KMM) {
      const namespace = textOf(valueAt(value, ['metadata', 'namespace'])) ?? '';
      if (name.length + namespace.length > 41) {
        report({
          rule: 'module-name',
          severity: 'error',
          path: ['metadata', 'name'],
          message: `name and namespace have ${name.length + namespace.length} characters together, and KMM takes 41`,
          hint: 'Choose shorter names.',
        });
      }
      moduleSpec(mappingOf(value['spec']), ['spec'], { report, release: options.release });
    } else if (kind === 'ManagedClusterModule' && apiVersion === HUB) {
      moduleSpec(mappingOf(valueAt(value, ['spec', 'moduleSpec'])), ['spec', 'moduleSpec'], {
        report,
        release: undefined,
      });
    } else if (kind === 'PreflightValidationOCP' && /^kmm\.sigs\.x-k8s\.io\//.test(apiVersion))
      preflight(manifest, report);
  }
}

interface Place {
  readonly report: Report;
  readonly release: Minor | undefined;
}

function moduleSpec(spec: Mapping, at: ValuePath, place: Place): void {
  const { report } = place;
  tolerations(spec, at, report);
  dra(spec, at, place);
  for (const key of ['devicePlugin', 'dra']) volumes(spec, [...at, key, 'volumes'], { key, report });
  const container = valueAt(spec, ['moduleLoader', 'container']);
  if (!isMapping(container)) return;
  const path = [...at, 'moduleLoader', 'container'];
  modprobe(mappingOf(container['modprobe']), [...path, 'modprobe'], report);
  mappings(container, path, report);
}

const KEY = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL = /^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/;

function tolerations(spec: Mapping, at: ValuePath, report: Report): void {
  listOf(spec['tolerations']).forEach((item, index) => {
    const toleration = mappingOf(item);
    const key = textOf(toleration['key']);
    const operator = textOf(toleration['operator']) ?? 'Equal';
    const effect = textOf(toleration['effect']);
    const value = textOf(toleration['value']);
    const why =
      operator !== 'Equal' && operator !== 'Exists'
        ? 'its operator is neither Equal nor Exists'
        : key === undefined && operator !== 'Exists'
          ? 'it has no key, which needs the operator Exists'
          : key !== undefined && !KEY.test(key)
            ? 'its key is none of a label'
            : operator === 'Exists' && value !== undefined
              ? 'Exists takes no value'
              : value !== undefined && !LABEL.test(value)
                ? 'its value is none of a label'
                : effect !== undefined && !['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(effect)
                  ? 'its effect is none'
                  : toleration['tolerationSeconds'] !== undefined && effect !== 'NoExecute'
                    ? 'tolerationSeconds needs the effect NoExecute'
                    : undefined;
    if (why === undefined) return;
    report({
      rule: 'module-toleration',
      severity: 'error',
      path: [...at, 'tolerations', index],
      message: `KMM refuses the toleration: ${why}`,
      hint: 'Write it as a pod would have it.',
    });
  });
}

function dra(spec: Mapping, at: ValuePath, { report, release }: Place): void {
  if (!isMapping(spec['dra'])) return;
  const path = [...at, 'dra'];
  const say = (where: ValuePath, message: string, hint: string): void => {
    report({ rule: 'module-dra', severity: 'error', path: where, message, hint });
  };
  if (spec['devicePlugin'] !== undefined)
    say(path, 'dra and devicePlugin exclude each other: the API server refuses it', 'Keep one of them.');
  if (release !== undefined && !isAtLeast(release, 4, 21))
    say(path, 'dynamic resource allocation needs OpenShift 4.21', 'Use devicePlugin.');
  if (!/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(textOf(spec['dra']['driverName']) ?? ''))
    say(
      [...path, 'driverName'],
      'the name of the driver is no DNS name',
      'Write a name such as gpu.example.com.',
    );
  const seen = new Set<string>();
  listOf(spec['dra']['deviceClasses']).forEach((item, index) => {
    const name = textOf(mappingOf(item)['name']) ?? '';
    if (seen.has(name))
      say([...path, 'deviceClasses', index], `${name.slice(0, 100)} stands twice`, 'Keep one of them.');
    seen.add(name);
  });
}

function volumes(
  spec: Mapping,
  path: ValuePath,
  { key, report }: { readonly key: string; readonly report: Report },
): void {
  listOf(valueAt(spec, [key, 'volumes'])).forEach((volume, index) => {
    const host = textOf(valueAt(volume, ['hostPath', 'path']));
    if (host === undefined) return;
    const parts: string[] = [];
    for (const part of host.split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    }
    if (['dev', 'sys', 'var', 'opt', 'run'].includes(parts[0] ?? '')) return;
    report({
      rule: 'module-host-path',
      severity: 'error',
      path: [...path, index, 'hostPath', 'path'],
      message: 'KMM lets device plugins mount /dev, /sys, /var, /opt and /run of the node, and nothing else',
      hint: 'Use a path below one of them.',
    });
  });
}

function modprobe(modprobe: Mapping, path: ValuePath, report: Report): void {
  const say = (where: ValuePath, message: string, hint: string): void => {
    report({ rule: 'module-modprobe', severity: 'error', path: where, message, hint });
  };
  const name = textOf(modprobe['moduleName']);
  const raw = isMapping(modprobe['rawArgs']) ? modprobe['rawArgs'] : undefined;
  if (name !== undefined && raw !== undefined)
    say([...path, 'rawArgs'], 'moduleName and rawArgs exclude each other', 'Keep one of them.');
  if (name === undefined && (listOf(raw?.['load']).length === 0 || listOf(raw?.['unload']).length === 0))
    say(path, 'without moduleName, rawArgs needs load and unload', 'Write moduleName.');
  const order = textsOf(modprobe['modulesLoadingOrder']);
  if (modprobe['modulesLoadingOrder'] === undefined || modprobe['modulesLoadingOrder'] === null) return;
  const where = [...path, 'modulesLoadingOrder'];
  if (order.length < 2) say(where, 'an order needs at least two modules', 'Leave it out.');
  else if (order[0] !== name)
    say(
      where,
      `the order begins with ${(order[0] ?? '').slice(0, 64)}, and has to begin with ${name ?? 'moduleName'}`,
      'The module that needs the others comes first.',
    );
  if (new Set(order).size < order.length)
    say(where, 'a module stands twice in the order', 'Keep one of them.');
}

function mappings(container: Mapping, path: ValuePath, report: Report): void {
  const say = (where: ValuePath, message: string, hint: string): void => {
    report({ rule: 'module-mapping', severity: 'error', path: where, message, hint });
  };
  const own = textOf(container['containerImage']);
  image(own, [...path, 'containerImage'], report);
  const list = listOf(container['kernelMappings']).map(mappingOf);
  if (container['kernelMappings'] !== undefined && list.length === 0 && own === undefined) {
    report({
      rule: 'module-mapping',
      severity: 'warning',
      path: [...path, 'kernelMappings'],
      message: 'there are no mappings and no image: KMM loads nothing on any node',
      hint: "Write a mapping, such as regexp: '^.+$' with its containerImage.",
    });
  }
  sign(container['sign'], [...path, 'sign'], { dir: dirName(container), report });
  const removes = (level: Mapping): readonly string[] =>
    ['inTreeModuleToRemove', 'inTreeModulesToRemove'].filter(
      (key) => level[key] !== undefined && level[key] !== null,
    );
  const keys = new Set([...removes(container), ...list.flatMap(removes)]);
  if (keys.size > 1)
    say(
      path,
      'inTreeModuleToRemove and inTreeModulesToRemove are mixed, on one level or across',
      'Use inTreeModulesToRemove everywhere.',
    );
  list.forEach((mapping, at) => {
    const here = [...path, 'kernelMappings', at];
    const [regexp, literal] = [textOf(mapping['regexp']), textOf(mapping['literal'])];
    if ((regexp === undefined) === (literal === undefined))
      say(here, 'a mapping has either regexp or literal', 'Keep one of them.');
    if (regexp !== undefined && !isGoRegexp(regexp))
      say(
        [...here, 'regexp'],
        'the regular expression is none, or uses what Go does not have (lookaround, backreferences)',
        "Write one such as '^.+\\.x86_64$'.",
      );
    const mapped = textOf(mapping['containerImage']);
    image(mapped, [...here, 'containerImage'], report);
    if (mapped === undefined && own === undefined)
      say(
        here,
        'there is no containerImage, neither here nor for all mappings',
        'Name the image of the kmod.',
      );
    sign(mapping['sign'], [...here, 'sign'], { dir: dirName(container), report });
  });
}

function dirName(container: Mapping): string {
  return textOf(valueAt(container, ['modprobe', 'dirName'])) ?? '/opt';
}

function isGoRegexp(text: string): boolean {
  if (text.length > 1000 || /\(\?(?:[=!]|<[=!])|\\[1-9]/.test(text)) return false;
  try {
    new RegExp(text.replaceAll(/\(\?P</g, '(?<').replaceAll(/\(\?[imsU]+\)/g, ''), 'u');
    return true;
  } catch {
    // Go takes escapes that this engine refuses with "u", and the reverse is rare.
    try {
      new RegExp(text.replaceAll(/\(\?P</g, '(?<').replaceAll(/\(\?[imsU]+\)/g, ''));
      return true;
    } catch {
      return false;
    }
  }
}

function image(name: string | undefined, path: ValuePath, report: Report): void {
  if (name === undefined) return;
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (last.includes(':') || name.includes('@')) {
    if (/:latest$/.test(last)) {
      report({
        rule: 'module-image',
        severity: 'warning',
        path,
        message:
          'the tag latest says nothing of the kernel: nodes with another kernel get modules that do not load',
        hint: 'Write :${KERNEL_FULL_VERSION}.',
      });
    }
    return;
  }
  const passes = name.includes(':');
  report({
    rule: 'module-image',
    severity: 'error',
    path,
    message: passes
      ? 'the image has neither tag nor digest: KMM takes the port for a tag, accepts it, and pulls latest'
      : 'the image has neither tag nor digest: KMM refuses it',
    hint: 'Write :${KERNEL_FULL_VERSION}, or a digest.',
  });
}

function sign(
  said: Value | undefined,
  path: ValuePath,
  { dir, report }: { readonly dir: string; readonly report: Report },
): void {
  if (!isMapping(said)) return;
  const files = textsOf(said['filesToSign']);
  if (files.length === 0) {
    report({
      rule: 'module-sign',
      severity: 'error',
      path,
      message: 'sign without filesToSign is refused, on each level by itself',
      hint: `Name the modules below ${dir}/.`,
    });
  }
  files.forEach((file, at) => {
    const where = [...path, 'filesToSign', at];
    if (!file.startsWith(`${dir}/`)) {
      report({
        rule: 'module-sign',
        severity: 'error',
        path: where,
        message: `the file is not below dirName (${dir.slice(0, 100)}): KMM refuses it`,
        hint: `Write ${dir}/lib/modules/... .`,
      });
    } else if (/\$\{?KERNEL_(?:FULL_)?VERSION/.test(file)) {
      report({
        rule: 'module-sign',
        severity: 'note',
        path: where,
        message:
          'on kernels for real time or with 64k pages the variable has "_" where the directory has "+": nothing is found there, and signing fails',
        hint: `Write ${dir}/lib/modules/*/... when nodes have such kernels.`,
      });
    }
  });
}

function preflight({ value }: Manifest, report: Report): void {
  const kernel = textOf(valueAt(value, ['spec', 'kernelVersion'])) ?? '';
  if (kernel.split(/[.,-]/).filter((part) => part !== '').length >= 3) return;
  report({
    rule: 'preflight-kernel',
    severity: 'error',
    path: ['spec', 'kernelVersion'],
    message:
      kernel === ''
        ? 'kernelVersion is missing: releaseImage, which KMM read in 1.x, is no longer read'
        : 'kernelVersion is no kernel release: KMM refuses it',
    hint: 'Write what uname -r prints on the release, and dtkImage; kmodlayer resolve RELEASE prints both.',
  });
}
