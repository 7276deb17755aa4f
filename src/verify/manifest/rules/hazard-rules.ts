import { createHash } from 'node:crypto';
import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { FileEntry, MachineConfig, UnitEntry } from '../machine-config.ts';
import type { ManifestSet } from '../rule.ts';
import { optionValues, optionWords, readUnitFile, type UnitFile, type UnitOption } from '../unit-file.ts';
import type { ValuePath } from '../values.ts';

const FIRST_BOOT = '/etc/ignition-machine-config-encapsulated.json';

/** A service with what it runs, as far as this config says it. */
interface Service {
  readonly unit: UnitEntry;
  /** The unit with its drop-ins. */
  readonly file: UnitFile;
  readonly scripts: readonly Script[];
  /** Commands of the unit, and the code of its scripts without comments. */
  readonly code: string;
}

interface Script {
  readonly entry: FileEntry;
  readonly text: string;
  /** systemd starts it itself, and no interpreter that the command names. */
  readonly isProgram: boolean;
}

/** Rules on services that pull images, load modules or reboot, and on the scripts that they run. */
export function hazardRules({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    const services = servicesOf(config);
    for (const service of services) {
      specifiers(service, report);
      ordering(service, report);
      loops(service, report);
      reboots(service, report);
      if (PULLS.test(service.code) || LOADS.test(service.code)) firstBoot(service, report);
      if (PULLS.test(service.code)) pulling(service, config, report);
    }
    for (const script of new Map(
      services.flatMap(({ scripts }) => scripts).map((one) => [one.entry.path, one]),
    ).values())
      programs(script, report);
    kmm(config, services, report);
  }
}

const PULLS = /\b(?:podman|skopeo|crictl|buildah|docker)\b[^\n;|&]*\b(?:pull|pull-image|run|create|copy)\b/;
const LOADS = /\b(?:modprobe|insmod|rmmod)\b|\bkmod (?:load|insert)\b/;
const REBOOTS =
  /(?:^|[\s;&|({!]|\/)(?:systemctl\s+(?:[-\w=]+\s+)*(?:reboot|kexec)|reboot|shutdown\s+-r\b|init\s+6)(?=$|[\s;&|)}])/m;

function servicesOf({ units, files }: MachineConfig): readonly Service[] {
  const byPath = new Map(files.map((entry) => [entry.path, entry]));
  return units.flatMap((unit): Service[] => {
    const parsed = unit.parsed();
    if (!unit.name.endsWith('.service') || unit.isMasked || parsed === undefined) return [];
    const dropIns = unit.dropIns.map(({ contents }) => readUnitFile(contents ?? ''));
    const file: UnitFile = {
      sections: [parsed, ...dropIns].flatMap(({ sections }) => sections),
      options: [parsed, ...dropIns].flatMap(({ options }) => options),
      problems: [],
    };
    const commands = file.options.filter(isCommand).map(({ value }) => value);
    const programs = new Set(commands.map(programOf));
    const words = new Set(commands.flatMap((command) => command.split(/[\s"';]+/).map(programOf)));
    const scripts = [...words].flatMap((word): Script[] => {
      const entry = byPath.get(word);
      const content = entry?.content();
      if (entry === undefined || content?.kind !== 'bytes' || content.bytes.length > MAX_SCRIPT) return [];
      const text = content.bytes.toString('utf8');
      const isProgram = programs.has(word);
      // Other files that a command names are what it reads.
      return text.startsWith('\x7fELF') || !(isProgram || text.startsWith('#!'))
        ? []
        : [{ entry, text, isProgram }];
    });
    const code = [...commands, ...scripts.map(({ text }) => withoutComments(text))].join('\n');
    return [{ unit, file, scripts, code }];
  });
}

/** Larger files are no scripts that people wrote. */
const MAX_SCRIPT = 256 * 1024;

/** The first word of a command, without what systemd reads before it. */
function programOf(command: string): string {
  return (command.split(/\s+/)[0] ?? '').replace(/^[-@:+!|]+/, '');
}

function isCommand({ section, name }: UnitOption): boolean {
  return (
    section === 'Service' && /^Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)$/.test(name)
  );
}

/** Lines that are comments, but not what follows code on a line: "#" begins a comment only sometimes. */
function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');
}

/** @see systemd.unit(5), "Specifiers" */
const SPECIFIER = /%(?![aAbBCdDEfgGhHiIjJlLmMnNopPqrRsStTuUvVwWyY%])/;

function specifiers({ unit }: Service, report: Report): void {
  const path: ValuePath = [...unit.at, 'contents'];
  for (const { name, value, line, section } of unit.parsed()?.options ?? []) {
    if (section !== 'Service' || !/^(?:Exec\w+|Environment)$/.test(name)) continue;
    const plain = value.replaceAll('%%', '');
    const isUnknown = SPECIFIER.test(plain);
    const isFormat = /\bdate\b[^;|&]*\+["']?[^\s"']*%|\b(?:printf|stat -c|--format|-printf)\b[^;|&]*%/.test(
      plain,
    );
    if (!isUnknown && !isFormat) continue;
    report({
      rule: 'unit-percent',
      severity: isUnknown ? 'error' : 'warning',
      path,
      lineInText: line,
      message: isUnknown
        ? `${name} has a "%" that begins no specifier: systemd ignores the whole line`
        : `${name} has a "%" that systemd replaces before the program sees it: %s is a shell, %H the name of the node`,
      hint: 'Write %% for each "%" that is meant as it stands.',
    });
  }
}

function ordering({ unit, file }: Service, report: Report): void {
  const path: ValuePath = [...unit.at, 'contents'];
  const wanted = ['Wants', 'Requires', 'BindsTo'].flatMap((name) => optionWords(file, 'Unit', name));
  const after = file.options.find(
    ({ section, name, value }) =>
      section === 'Unit' && name === 'After' && /\bnetwork-online\.target\b/.test(value),
  );
  if (after !== undefined && !wanted.includes('network-online.target')) {
    report({
      rule: 'network-online-unwanted',
      severity: 'warning',
      path,
      lineInText: after.line,
      message:
        'After=network-online.target orders against a target that nothing may start: the unit then runs before there is a network',
      hint: 'Add Wants=network-online.target.',
    });
  }
  const proxy = file.options.find(
    ({ section, name, value }) =>
      section === 'Service' && name === 'EnvironmentFile' && value === '/etc/mco/proxy.env',
  );
  if (proxy !== undefined) {
    report({
      rule: 'proxy-file-required',
      severity: 'warning',
      path,
      lineInText: proxy.line,
      message: 'the unit fails on nodes that do not have /etc/mco/proxy.env',
      hint: 'Write EnvironmentFile=-/etc/mco/proxy.env.',
    });
  }
}

function loops(service: Service, report: Report): void {
  const { unit, file, code } = service;
  const isEndless =
    /\b(?:while|until)\b[\s\S]{0,2000}?\bsleep\b/.test(code) &&
    !/\bSECONDS\b|\btimeout\s|\bdate \+%+s|-(?:le|lt|ge|gt)\b|\(\(|\bseq\b|--retry|\bbreak\b[^\n]*\d/.test(
      code,
    );
  if (!isEndless) return;
  const limit = [
    ...optionValues(file, 'Service', 'TimeoutStartSec'),
    ...optionValues(file, 'Service', 'TimeoutSec'),
  ].at(-1);
  const isOneshot = optionValues(file, 'Service', 'Type').at(-1) === 'oneshot';
  if (limit === undefined ? !isOneshot : limit !== 'infinity' && limit !== '0') return;
  const blocks = [...optionWords(file, 'Unit', 'Before'), ...optionWords(file, 'Install', 'RequiredBy')].some(
    (word) => /^(?:kubelet|crio|network-pre|multi-user)/.test(word),
  );
  report({
    rule: 'loop-unbounded',
    severity: blocks ? 'error' : 'warning',
    path: [...unit.at, 'contents'],
    message: `it tries again for ever, and ${limit === undefined ? 'a oneshot has no time limit of its own' : `its time limit is ${limit}`}${blocks ? ': the node never gets to its kubelet when the image cannot be pulled' : ': the boot never ends when it does not succeed'}`,
    hint: 'Set TimeoutStartSec=, or count the tries.',
  });
}

function reboots({ unit, file, scripts }: Service, report: Report): void {
  const commands = file.options.filter(isCommand).map(({ value }) => value);
  // A script of several verbs need not reboot in the one that the unit names.
  const rebooting = scripts.find(
    ({ entry, text }) =>
      REBOOTS.test(withoutComments(text)) &&
      !(/\bcase\b/.test(text) && commands.every((command) => /\w/.test(command.split(entry.path)[1] ?? 'a'))),
  );
  if (rebooting === undefined && !commands.some((command) => REBOOTS.test(command))) return;
  const path: ValuePath = [...unit.at, 'contents'];
  const direct = file.options.find(
    (option) =>
      isCommand(option) && REBOOTS.test(option.value) && !/\bif\b|&&|\|\||\btest\b|\[/.test(option.value),
  );
  const hasCondition =
    file.options.some(({ section, name }) => section === 'Unit' && /^(?:Condition|Assert)/.test(name)) ||
    file.options.some(({ name }) => name === 'ExecCondition');
  if (direct !== undefined && !hasCondition && unit.isEnabled) {
    report({
      rule: 'reboot-loop',
      severity: 'error',
      path,
      lineInText: direct.line,
      message:
        'the unit reboots the node at each boot, and nothing keeps it from doing so: the node never comes up',
      hint: 'Add a condition, such as ConditionPathExists=! on a file that is written before.',
    });
    return;
  }
  if (
    optionWords(file, 'Unit', 'Before').some((word) =>
      /^(?:kubelet-dependencies\.target|(?:kubelet|crio)\.service|(?:network-pre|basic|sysinit)\.target)$/.test(
        word,
      ),
    )
  )
    return;
  report({
    rule: 'reboot-undrained',
    severity: 'warning',
    path: rebooting?.entry.at ?? path,
    message: `${unit.name} reboots the node and is not ordered before the kubelet: pods that run by then are killed, without a drain and without the Machine Config Operator`,
    hint: 'Add Before=kubelet-dependencies.target kubelet.service, so that there is nothing to drain yet.',
  });
}

function firstBoot({ unit, file }: Service, report: Report): void {
  if (
    !unit.isEnabled ||
    optionValues(file, 'Unit', 'ConditionPathExists').some(
      (value) => value.endsWith(FIRST_BOOT) && value.includes('!'),
    )
  )
    return;
  report({
    rule: 'first-boot-condition',
    severity: 'warning',
    path: [...unit.at, 'contents'],
    message:
      'it also runs when a new node boots for the first time, with the kernel of the boot image: there is no module for that one, and a reboot then breaks the installation',
    hint: `Add ConditionPathExists=!${FIRST_BOOT} to [Unit].`,
  });
}

const IMAGE =
  /(?<![\w./:@$-])(?:(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?|localhost(?::\d+)?|[a-z0-9.-]+:\d+)\/[a-z0-9._/-]*[a-z0-9](?:(?::(?<tag>[\w][\w.-]*))?(?:@(?<digest>sha256:[0-9a-f]{64}))?)(?![\w/@:$-])/g;

function pulling({ unit, file, code, scripts }: Service, config: MachineConfig, report: Report): void {
  const path: ValuePath = [...unit.at, 'contents'];
  const seen = new Set<string>();
  const places = [
    ...(unit.parsed()?.options ?? [])
      .filter((option) => isCommand(option) || option.name === 'Environment')
      .map(({ value, line }) => ({ text: value, path, line })),
    ...scripts.map(({ entry, text }) => ({ text: withoutComments(text), path: entry.at, line: undefined })),
  ];
  for (const place of places) {
    for (const match of place.text.slice(0, 100_000).matchAll(IMAGE)) {
      const { tag, digest } = match.groups ?? {};
      if (digest !== undefined || tag === undefined || seen.has(match[0])) continue;
      seen.add(match[0]);
      report({
        rule: tag === 'latest' ? 'image-latest' : 'image-by-tag',
        severity: 'warning',
        path: place.path,
        lineInText: place.line,
        message: `${match[0].slice(0, 200)} is ${tag === 'latest' ? 'whatever was pushed last' : 'an image by tag'}: what root runs at boot changes when the tag moves, mirrors for digests do not serve it, and nodes differ`,
        hint: 'Write the image by digest: REPOSITORY@sha256:... .',
      });
    }
  }
  const isNormalised = /\btr\b[^\n]*\+|\bsed\b[^\n]*\+|\/\/?\\?\+\/|\/\/\[\^/.test(code);
  const variable = /\b([A-Za-z_]\w*)=["']?(?:\$\(\s*uname -r\s*\)|`uname -r`)/.exec(code)?.[1];
  const usesRelease =
    /:["']?(?:\$\(\s*uname -r\s*\)|`uname -r`)/.test(code) ||
    (variable !== undefined && new RegExp(`:["']?\\$\\{?${variable}\\b`).test(code));
  if (usesRelease && !isNormalised) {
    report({
      rule: 'uname-tag',
      severity: 'warning',
      path,
      message:
        'the tag is what uname -r prints: kernels for real time and with 64k pages have a "+" in it, which no tag may have, and after an upgrade the tag may not exist yet',
      hint: 'Turn all but A-Za-z0-9._- into "_", as KMM does, or look digests up by kernel release.',
    });
  }
  const isRetried =
    /\b(?:while|until|for)\b|--retry/.test(code) ||
    optionValues(file, 'Service', 'Restart').some((value) => value !== 'no') ||
    config.units.some(
      ({ name, contents }) =>
        name.endsWith('.timer') &&
        (name === unit.name.replace(/\.service$/, '.timer') ||
          contents?.includes(`Unit=${unit.name}`) === true),
    );
  if (!isRetried && /\bpull\b|\bcopy\b/.test(code)) {
    report({
      rule: 'pull-without-retry',
      severity: 'warning',
      path,
      message:
        'the image is pulled once: when the registry is away at that moment, the module is missing until the next boot',
      hint: 'Add Restart=on-failure with RestartSec=, or try again with growing pauses and an end.',
    });
  }
}

function programs({ entry, text, isProgram }: Script, report: Report): void {
  if (!isProgram) return;
  const { at, value, path } = entry;
  const { mode } = value;
  if (typeof mode === 'number' && (mode & 0o111) === 0) {
    report({
      rule: 'script-not-executable',
      severity: 'error',
      path: [...at, 'mode'],
      message: `a unit runs ${path}, and no bit of its mode lets anybody execute it: systemd ends with 203/EXEC`,
      hint: 'Write 493, which is 0755.',
    });
  }
  if (text !== '' && !text.startsWith('#!')) {
    report({
      rule: 'script-without-shebang',
      severity: 'error',
      path: at,
      message: `a unit runs ${path}, and its first line names no interpreter: systemd ends with 203/EXEC`,
      hint: 'Begin with #!/usr/bin/env bash.',
    });
  } else if (/^#![^\n]*\r\n/.test(text)) {
    report({
      rule: 'script-crlf',
      severity: 'error',
      path: at,
      message: `the lines of ${path} end as on Windows: there is no interpreter with a carriage return in its name, and systemd ends with 203/EXEC`,
      hint: 'Convert it with dos2unix before base64.',
    });
  }
}

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

function kmm({ files }: MachineConfig, services: readonly Service[], report: Report): void {
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
