import type { Finding } from '../../report.ts';
import { MODULE_FILE } from '../added-layer.ts';
import type { AddedEntry } from '../added-tree.ts';
import type { LintInput } from '../lint-input.ts';
import { countOf, groupBy, namesOf } from '../words.ts';

/** Links into `/usr` on every OS that nodes run. */
const MERGED = new Set(['lib', 'lib64', 'bin', 'sbin']);

/** Filled anew at each boot. */
const VOLATILE = new Set(['run', 'tmp', 'proc', 'sys', 'dev']);

/** What package managers and builds leave behind; nothing is lost with it. */
const LEFTOVER = /^var\/(?:cache|log|tmp|lib\/(?:dnf|rpm|yum|rhsm))\//;

/**
 * Rules on where files stand: what a node drops when it imports a layer, and what it does not take as it is.
 *
 * @see ostree-ext, `tar/write.rs`, `normalize_validated_path()`
 */
export function pathRules(input: LintInput): Finding[] {
  const files = [...input.tree.entries].filter(([, { entry }]) => entry.type !== 'directory');
  const byTop = groupBy(files, ([path]) => path.split('/', 1)[0] ?? '');
  const findings: Finding[] = [...badNames(input)];
  for (const [top, entries] of byTop) findings.push(...ruleOf(top, entries));
  return findings;
}

type Named = readonly [path: string, added: AddedEntry];

function ruleOf(top: string, entries: readonly Named[]): Finding[] {
  if (top === 'usr') return usrEtc(entries.filter(([path]) => path.startsWith('usr/etc/')));
  if (top === 'etc') return etcMerged(entries);
  if (top === 'var') return varContent(entries);
  if (top === 'sysroot' || top === 'ostree') return touchesOstree(top, entries);
  return dropped(top, entries);
}

function dropped(top: string, entries: readonly Named[]): Finding[] {
  const paths = entries.map(([path]) => path);
  const shown = MODULE_FILE.test(paths.join('\n')) ? paths.filter((path) => MODULE_FILE.test(path)) : paths;
  const what = `${countOf(paths.length, 'file')} below /${top} (${namesOf(shown)})`;
  if (VOLATILE.has(top)) {
    return one(entries, {
      rule: 'dropped-path',
      severity: 'note',
      message: `${what} will not be on the node: /${top} starts empty there`,
      hint: `Remove ${entries.length === 1 ? 'it' : 'them'} in the step of the build that makes ${entries.length === 1 ? 'it' : 'them'}.`,
    });
  }
  const isBoot = top === 'boot';
  return one(entries, {
    rule: 'dropped-path',
    severity: isBoot ? 'warning' : 'error',
    message: MERGED.has(top)
      ? `${what} will not be on the node: /${top} is a link to /usr/${top} there, and what a layer has below it is dropped without a word`
      : `${what} will not be on the node: only /usr, /etc and /var of a layer are imported, the rest is dropped without a word`,
    hint: MERGED.has(top)
      ? `Write to usr/${top} instead of ${top}.`
      : isBoot
        ? 'The kernel stands in /usr/lib/modules; nodes fill /boot from there.'
        : 'Put the files below /usr.',
  });
}

function varContent(entries: readonly Named[]): Finding[] {
  const wanted = entries.filter(([path]) => !LEFTOVER.test(path));
  const leftover = entries.filter(([path]) => LEFTOVER.test(path));
  const messageOf = (named: readonly Named[]): string =>
    `${countOf(named.length, 'file')} below /var (${namesOf(named.map(([path]) => path))}) `;
  return [
    ...one(wanted, {
      rule: 'var-content',
      severity: 'warning',
      message: `${messageOf(wanted)}will at best be copied to a new node once and never be updated, and with an ostree before 2024.3 end in /usr/share/factory/var`,
      hint: 'Put the files below /usr, and let tmpfiles.d make what must be in /var.',
    }),
    ...one(leftover, {
      rule: 'var-content',
      severity: 'note',
      message: `${messageOf(leftover)}are leftovers of the build, which nodes do not need`,
      hint: 'Remove them in the step of the build that makes them.',
    }),
  ];
}

function usrEtc(entries: readonly Named[]): Finding[] {
  return one(entries, {
    rule: 'usr-etc',
    severity: 'error',
    message: `${countOf(entries.length, 'file')} below /usr/etc (${namesOf(entries.map(([path]) => path))}): an image has its configuration in /etc, and bootc refuses one that has both`,
    hint: 'Write to etc/ in the layer, or better below usr/lib.',
  });
}

function etcMerged(entries: readonly Named[]): Finding[] {
  const configs = entries.filter(([path]) =>
    /^etc\/(?:modprobe|modules-load|depmod|dracut\.conf)\.d\//.test(path),
  );
  return one(configs, {
    rule: 'etc-merged',
    severity: 'note',
    message: `${namesOf(configs.map(([path]) => path))}: what a node has changed below /etc is kept, so that a later image may not take effect there`,
    hint: 'Put the files below usr/lib, which the image replaces as a whole.',
  });
}

function touchesOstree(top: string, entries: readonly Named[]): Finding[] {
  return one(entries, {
    rule: 'touches-ostree',
    severity: 'error',
    message: `${countOf(entries.length, 'entry').replace('entrys', 'entries')} below /${top} (${namesOf(entries.map(([path]) => path))}): these are the commit's own objects, and a node drops changes of them or refuses the layer`,
    hint: 'Build on a storage driver that does not follow hard links (overlay, not vfs), and write files anew instead of changing them in place.',
  });
}

function badNames({ tree }: LintInput): Finding[] {
  return tree.layers.flatMap((layer) => [
    ...layer.badNames.map(({ name, why }): Finding => ({
      rule: 'bad-name',
      severity: 'error',
      layer: layer.descriptor.digest,
      path: name.slice(0, 300),
      message: `${why}: nodes refuse the whole layer`,
      hint: 'Write plain paths below usr/ and etc/.',
    })),
    // What cannot be decoded comes as U+FFFD.
    ...layer.entries
      .filter(({ path }) => path.includes('\u{fffd}'))
      .map(({ path }): Finding => ({
        rule: 'bad-name',
        severity: 'error',
        layer: layer.descriptor.digest,
        path,
        message: 'the name is not UTF-8: nodes refuse the whole layer',
        hint: 'Rename the file.',
      })),
  ]);
}

/** One finding for entries of a kind, at the first of them; none for none. */
function one(entries: readonly Named[], finding: Omit<Finding, 'path' | 'layer'>): Finding[] {
  const [first] = entries;
  return first === undefined ? [] : [{ ...finding, path: first[0], layer: first[1].layer.descriptor.digest }];
}
