import type { LayerEntry } from '../../../oci/layer-reader.ts';
import type { Finding } from '../../report.ts';
import type { AddedEntry } from '../added-tree.ts';
import type { LintInput } from '../lint-input.ts';
import { groupBy, namesOf } from '../words.ts';

const OBJECTS = 'sysroot/ostree/repo/objects/';

/** What nodes import; the rest is dropped whatever it is. */
const IMPORTED = /^(?:usr|etc|var)\//;

/** Files that the kernel and its tools read. */
const OF_MODULES =
  /^(?:usr\/lib\/(?:modules|firmware)|(?:usr\/lib|etc)\/(?:modprobe|modules-load|depmod)\.d)\//;

const SPECIAL: ReadonlyMap<LayerEntry['type'], string> = new Map([
  ['character-device', 'a device node'],
  ['block-device', 'a device node'],
  ['fifo', 'a named pipe'],
  ['other', 'of a type that is unknown'],
]);

/** Rules on what entries are: links, devices, owners, modes, attributes. */
export function entryRules({ tree }: LintInput): Finding[] {
  const entries = [...tree.entries.values()].filter(({ entry }) => IMPORTED.test(entry.path));
  return [
    ...hardLinks(entries),
    ...specialFiles(entries),
    ...modes(entries),
    ...owners(entries),
    ...xattrs(entries),
  ];
}

function hardLinks(entries: readonly AddedEntry[]): Finding[] {
  const links = entries.filter(({ entry }) => entry.type === 'hardlink');
  const pathsOfLayer = new Map(
    [...new Set(links.map(({ layer }) => layer))].map((layer) => [
      layer,
      new Set(layer.entries.map(({ path }) => path)),
    ]),
  );
  const kindOf = ({ entry: { linkPath = '', mtimeSeconds }, layer }: AddedEntry): string => {
    if (linkPath.startsWith(OBJECTS)) return mtimeSeconds === 0 ? 'old-object' : 'object';
    return pathsOfLayer.get(layer)?.has(linkPath) === true && IMPORTED.test(linkPath) ? 'same' : 'lower';
  };
  const groups = groupBy(links, kindOf);
  const hint = 'Write the files as regular files.';
  return [
    ...gather(groups.get('lower'), (what) => ({
      rule: 'hardlink',
      severity: 'error',
      message: `${what}: hard-linked to what the layer does not have, so that a node cannot import it`,
      hint,
    })),
    ...gather(groups.get('old-object'), (what) => ({
      rule: 'hardlink',
      severity: 'error',
      message: `${what}: hard-linked to objects of the commit with the time 0; a node takes them for unchanged, and changes made in place are lost`,
      hint: 'Write files anew instead of changing them in place, and build with a positive SOURCE_DATE_EPOCH.',
    })),
    ...gather(groups.get('object'), (what) => ({
      rule: 'hardlink',
      severity: 'warning',
      message: `${what}: hard-linked to objects of the commit; a node tells changed files from others by their time alone`,
      hint: 'Write files anew instead of changing them in place.',
    })),
    ...gather(groups.get('same'), (what) => ({
      rule: 'hardlink',
      severity: 'note',
      message: `${what}: hard-linked within the layer, which some importers take for copies and some for empty files`,
      hint,
    })),
  ];
}

function specialFiles(entries: readonly AddedEntry[]): Finding[] {
  const groups = groupBy(
    entries.filter(({ entry }) => SPECIAL.has(entry.type)),
    ({ entry }) => SPECIAL.get(entry.type) ?? '',
  );
  return [...groups].flatMap(([kind, found]) =>
    gather(found, (what) => ({
      rule: 'special-file',
      severity: 'error',
      message: `${what}: ${kind}; an ostree holds files, directories and links alone, and the import fails`,
      hint: 'Let udev or tmpfiles.d make it on the node.',
    })),
  );
}

function modes(entries: readonly AddedEntry[]): Finding[] {
  const plain = entries.filter(({ entry }) => entry.type === 'file' || entry.type === 'directory');
  const setuid = plain.filter(({ entry }) => entry.type === 'file' && (entry.mode & 0o6000) !== 0);
  const writable = plain.filter(({ entry }) => (entry.mode & 0o1002) === 0o002);
  const hidden = plain.filter(({ entry }) => {
    const wanted = entry.type === 'file' ? 0o400 : 0o500;
    return OF_MODULES.test(entry.path) && (entry.mode & wanted) !== wanted;
  });
  return [
    ...gather(setuid, (what) => ({
      rule: 'setuid',
      severity: 'warning',
      message: `${what}: set-user-id or set-group-id; whoever starts the program on a node gets rights that are not theirs`,
      hint: 'Take the bit away, unless the program is meant to have it.',
    })),
    ...gather(writable, (what) => ({
      rule: 'mode',
      severity: 'warning',
      message: `${what}: writable for everybody`,
      hint: 'Use the modes 0644 and 0755.',
    })),
    ...gather(hidden, (what) => ({
      rule: 'mode',
      severity: 'warning',
      message: `${what}: not readable even for the owner; what runs without all rights of root does not see it`,
      hint: 'Use the modes 0644 and 0755.',
    })),
  ];
}

function owners(entries: readonly AddedEntry[]): Finding[] {
  const found = entries.filter(
    ({ entry }) => OF_MODULES.test(entry.path) && (entry.uid !== 0 || entry.gid !== 0),
  );
  return gather(found, (what) => ({
    rule: 'owner',
    severity: 'warning',
    message: `${what}: owned by ${found[0]?.entry.uid ?? 0}:${found[0]?.entry.gid ?? 0}, an account of the node that could then change what the kernel loads`,
    hint: 'Let root own the files: COPY --chown=0:0, or tar --owner=0 --group=0.',
  }));
}

function xattrs(entries: readonly AddedEntry[]): Finding[] {
  const named = entries.flatMap((added) => added.entry.xattrs.map((name) => ({ name, added })));
  return [...groupBy(named, ({ name }) => name)].flatMap(([name, found]) =>
    gather(
      found.map(({ added }) => added),
      (what) => ({
        rule: 'xattr',
        severity: 'warning',
        message:
          name === 'security.selinux'
            ? `${what}: labelled for SELinux in the layer; nodes label files by the policy of the base`
            : `${what}: has the attribute ${name}, which older importers drop${name === 'security.capability' ? ' (the program then lacks its capabilities)' : ''}`,
        hint:
          name === 'security.capability'
            ? 'Let a systemd unit give the capabilities (AmbientCapabilities=).'
            : 'Build the layer without extended attributes.',
      }),
    ),
  );
}

/** One finding for all entries that break a rule in one way; `what` is `a`, or `a, b and 3 more`. */
function gather(
  entries: readonly AddedEntry[] | undefined,
  finding: (what: string) => Omit<Finding, 'path' | 'layer'>,
): Finding[] {
  const [first] = entries ?? [];
  if (entries === undefined || first === undefined) return [];
  const what = namesOf(entries.map(({ entry }) => entry.path));
  return [{ ...finding(what), path: first.entry.path, layer: first.layer.descriptor.digest }];
}
