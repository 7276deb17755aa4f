/** What made-up trees are made of: what is common, and what has an oddity of depmod. */

/** Symbols that the kernel itself exports. */
export const KERNEL_SYMBOLS = ['printk', 'module_layout', 'kfree', '__this_module'];

export const NAMES = [
  ...[
    'ice',
    'irdma',
    'gnss',
    'i40e',
    'libie',
    'snd-pcm',
    'snd_timer',
    'nf-tables',
    'x_tables',
    'mc',
    'a',
    'b-c',
  ],
  ...['crc16', 'crc-itu-t', 'MixedCase', '8021q', 'name.with.dots', 'x'.repeat(55), 'b_c', 'mod-1', 'mod_2'],
];

export const DIRECTORIES = [
  ...['kernel/drivers/net', 'kernel/lib', 'kernel', 'extra', 'extra/sub', 'updates', 'updates/dkms'],
  ...['weak-updates/pkg', 'misc', 'extras', 'old', 'kernel/old', 'build', 'kernel/source'],
];

export const ALIASES = [
  ...[
    'pci:v00008086d*sv*sd*bc*sc*i*',
    'usb:v046DpC52[0-4]d*',
    'of:N*T*Cfoo,bar-baz',
    'foo-bar',
    'foo_bar',
    'x',
  ],
  ...[
    'a[b-c]d-e',
    'dmi*-[Aa-]-[]b]',
    'x[unclosed-',
    'y-]stray',
    '[',
    ']',
    '[]',
    'a[b[c]',
    'acpi*:ABC:*',
    '',
    '-',
  ],
  ...[
    'devname:mapper/control',
    'devname:',
    'devname:x',
    'char-major-10-235',
    'char-major-10-*',
    'char-major-10',
  ],
  ...['block-major-7-1', 'block-major-7-*', 'char-major-300000000000-1', 'char-major-18446744073709551616-1'],
  ...['char-major- 5-+7', 'char-major-10--3', 'char-major-010-0x10', 'char-major-1-2-3', 'char-major--1-2'],
  ...[
    'with blank inside',
    ' leading',
    'trailing ',
    `long-${'y'.repeat(5000)}`,
    'n\u00f6n-ascii',
    'tab\there',
  ],
];

export const WORDS = [
  ...['updates', 'extra', 'built-in', 'external', 'weak-updates', 'misc', 'updates/dkms', 'kernel', 'extra/'],
  ...['kernel/drivers/net', 'none', 'u'],
];

export const PATTERNS = [
  '*',
  '6.1',
  '^6\\.',
  '5.14',
  '[0-9]+\\.[0-9]+',
  '^x|^6',
  '(',
  'amd64$',
  '*6',
  '[[:digit:]]',
  '',
];

export const EXCLUDED = ['old', 'sub', 'ice.ko', 'updates', 'none', 'kernel'];

/** Pieces of the patterns that `override` and `external` lines have for kernel releases. */
export const PATTERN_PIECES = [
  ...[
    '6',
    '\\.',
    '1',
    '.',
    '-',
    '*',
    '+',
    '?',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '|',
    '^',
    '$',
    '\\',
    ',',
    '[0-9]',
    '{1,2}',
  ],
  ...['[[:digit:]]', 'amd64', ':', '=', 'w'],
];

export const CONFIG_LINES = [
  ...[
    'make_map_files yes',
    'include /etc',
    '# search none',
    '',
    'nonsense',
    'search',
    '  search   misc\t extra',
  ],
  ...['search updates \\\n extra', 'search extra\r', 'override ice', 'external *', '\tsearch kernel'],
];

export const BUILTIN_LINES = [
  ...['kernel/a/ext4.ko', 'kernel/b/crc-t10dif.ko', 'kernel/a/ext4.ko', '9p.ko', '', 'x', 'kernel/z.y.ko'],
];

export const BUILTIN_STRINGS = [
  ...[
    'ext4.alias=fs-ext4',
    'ext4.license=GPL',
    'x.alias=pci:v*[0-9]-',
    'x.alias=y[',
    'noequals',
    'a-b.alias=c-d',
  ],
  ...['ext4.alias=fs-ext4', 'z.parm=a:b=c', 'z.alias=', '.alias=x', 'q.alias=with blank', 'a.alias=fs-ext4'],
];
