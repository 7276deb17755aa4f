import type { CheckId } from '../../src/verify/report.ts';
import { LAYER_RULE_TEXTS } from './layer-rule-texts.ts';

/** What a check or a rule is about, for people who meet it in a report. */
export interface RuleText {
  /** Two or three words, as a heading. */
  readonly title: string;
  /** What holds when it passes, in one sentence. */
  readonly holds: string;
  /** What to do when it does not. */
  readonly help: string;
}

/** @see linux `kernel/module/main.c` */
export const CHECK_TEXTS: Readonly<Record<CheckId, RuleText>> = {
  signature: {
    title: 'Signature',
    holds: 'The module is signed, with a key that the kernel trusts and a hash that it knows.',
    help: "Sign it with kmodlayer sign and the hash of the kernel's own modules, and enrol the certificate on the nodes.",
  },
  elf: {
    title: 'ELF file',
    holds:
      'The file is a relocatable ELF object with sections inside of it, one symbol table and one .modinfo.',
    help: 'The file was cut, packed in a way that the kernel cannot read, or is no module. Copy or build it again.',
  },
  architecture: {
    title: 'Architecture',
    holds: 'The module is machine code for the architecture of the base.',
    help: 'Build it with the driver-toolkit of the same architecture.',
  },
  'this-module': {
    title: 'Module structure',
    holds: 'The structure that describes the module is as large as that of this kernel.',
    help: 'It was built with the headers or the configuration of another kernel. Build it with the driver-toolkit of this release.',
  },
  'module-layout': {
    title: 'Module layout',
    holds: 'The checksum of the layout of struct module is that of this kernel.',
    help: 'Build the module with the driver-toolkit of this release.',
  },
  vermagic: {
    title: 'Version magic',
    holds:
      "The module's vermagic is that of the kernel; where symbols have versions, the release in it does not matter.",
    help: 'Build the module with the driver-toolkit of this release, and for the same flavour of the kernel.',
  },
  livepatch: {
    title: 'Live patch',
    holds: 'The module is no live patch, or the kernel takes live patches.',
    help: 'Live patches are made for one kernel. Use the one for this kernel.',
  },
  versions: {
    title: 'Version table',
    holds: 'The module has a well-formed table with the checksum of each symbol that it imports.',
    help: 'Build with the Module.symvers of the kernel; a table that was stripped makes kernels refuse the module.',
  },
  symbols: {
    title: 'Symbols',
    holds:
      'Each symbol that the module imports is exported by the kernel or by a module that is loaded before.',
    help: 'Ship the module that exports them as well, or build the driver for this kernel.',
  },
  'symbol-crcs': {
    title: 'Symbol versions',
    holds: 'Each imported symbol has the checksum that the module was built against.',
    help: 'The interface changed between the two kernels. Build the driver for this kernel.',
  },
  namespaces: {
    title: 'Symbol namespaces',
    holds: 'The module imports the namespace of each symbol that has one.',
    help: 'Add MODULE_IMPORT_NS() to the source of the driver.',
  },
  licence: {
    title: 'Licence',
    holds: 'The licence of the module allows it the symbols that it uses.',
    help: 'Symbols that are exported to GPL modules only cannot be used by others; see MODULE_LICENSE() in the source.',
  },
  relocations: {
    title: 'Relocations',
    holds: 'The kernel can place the module: no common symbols, no relocations that it does not know.',
    help: 'Build with the compiler and the flags of the kernel, and with -fno-common.',
  },
  exports: {
    title: 'Exports',
    holds: 'Nothing that the module exports is exported by the kernel or by another module already.',
    help: 'Let one module export the symbol, or declare that this one replaces the other.',
  },
  btf: {
    title: 'BTF',
    holds: 'The type information of the module was made for this kernel, or it has none.',
    help: 'Remove the section with "objcopy -R .BTF" before the module is signed, or build against the vmlinux of this kernel.',
  },
  parameters: {
    title: 'Parameters',
    holds: 'The module has each parameter that is set for it.',
    help: 'See which it has with kmodlayer inspect, and correct the spec.',
  },
  name: {
    title: 'Name',
    holds: 'The module calls itself by the name of its file.',
    help: 'Rename the file.',
  },
  dependencies: {
    title: 'Dependencies',
    holds: 'Each module that it needs is in the merged tree, and none needs itself.',
    help: 'Add the module that is missing to the same set, or use a base that has it.',
  },
  precedence: {
    title: 'Precedence',
    holds: 'modprobe finds this file under the name, whatever the order of the directory.',
    help: 'Leave one copy, or declare which one replaces the other.',
  },
  dependants: {
    title: 'Dependants',
    holds: 'Modules of the base that need the one that is replaced find what they need in its place.',
    help: 'Replace those that break as well, with versions that were built against the new module.',
  },
  aliases: {
    title: 'Aliases',
    holds: 'The aliases of the module fit into the indexes.',
    help: 'Aliases are plain ASCII. Correct them in the source of the driver.',
  },
  firmware: {
    title: 'Firmware',
    holds: 'Each file of firmware that the module names is in the layer or in the base.',
    help: 'Ship the files with the driver (firmware: in the spec), unless the hardware of these nodes needs none.',
  },
};

/** What a boot shows, as rules. */
export const BOOT_TEXTS = {
  'boot-load': {
    title: 'Load in the booted kernel',
    holds: 'The booted kernel accepts the module.',
    help: 'Read what the kernel said in the log of the boot.',
  },
  'boot-control': {
    title: 'Negative control',
    holds: 'The booted kernel refuses copies of the module that nobody trusted signed.',
    help: 'The kernel does not enforce signatures, or trusts a key that it should not. Nothing was proven about Secure Boot.',
  },
  boot: {
    title: 'Boot',
    holds: "The image's own kernel boots and loads the modules.",
    help: 'Read the console of the boot.',
  },
} as const satisfies Readonly<Record<string, RuleText>>;

/** Texts of a rule of images and layers; what it does not know says no more of itself than its name. */
export function layerRuleText(rule: string): RuleText {
  const words = rule.replaceAll('-', ' ');
  const [title, holds] = LAYER_RULE_TEXTS.get(rule) ?? [
    words.charAt(0).toUpperCase() + words.slice(1),
    `The rule ${rule} holds.`,
  ];
  return { title, holds, help: 'What to do depends on what was found, and is said with each finding.' };
}
