import type { ManifestRuleId } from '../../../src/verify/manifest/rule-ids.ts';
import type { Text } from './text.ts';

/** Rules of files. */
export const FILE_TEXTS = {
  'mode-invalid': [
    'Mode',
    'A mode is a whole number from 0 to 4095.',
    'Ignition refuses the config.',
    'Write a decimal number, such as 420 for 0644.',
  ],
  'mode-octal': [
    'Octal mode',
    'Modes are written as decimal numbers.',
    'A number that begins with 0 is octal to oc, and decimal to tools that read YAML 1.2 or JSON.',
    'Write 420 for 0644, 493 for 0755, 384 for 0600.',
  ],
  'mode-decimal': [
    'Octal digits in a decimal mode',
    'The decimal number is the mode that was meant.',
    '644 is mode 01204, which the operator refuses; 400 is mode 0620, which it does not.',
    'Write 420 for 0644, 493 for 0755, 384 for 0600.',
  ],
  'mode-too-large': [
    'Setuid, setgid and sticky',
    'Modes are at most 0777.',
    'The operator refuses others, and the pool degrades.',
    'Leave the bits out.',
  ],
  'mode-world-writable': [
    'World-writable file',
    'Files can be written by root alone.',
    'Every process of the node can change what root runs or reads.',
    'Write 493 for programs and 420 for other files.',
  ],
  'data-url-invalid': [
    'Data URL',
    'Data URLs are those of RFC 2397: percent-encoded, or base64 with padding.',
    'Ignition refuses the config, and the pool degrades.',
    'Write "data:;base64," and the output of base64 -w0.',
  ],
  'source-remote': [
    'Remote contents',
    'Contents of files stand in data URLs.',
    'Nodes that run fetch nothing.',
    'Put the contents into the MachineConfig.',
  ],
  'compression-unknown': [
    'Compression',
    'compression is gzip, or not there.',
    'Ignition refuses the config.',
    'Write gzip, or leave it out.',
  ],
  'gzip-invalid': [
    'Packed contents',
    'Contents with compression: gzip are packed with gzip.',
    'Nodes cannot unpack them, and the pool degrades.',
    'Pack them, or leave compression out.',
  ],
  'contents-large': [
    'Large contents',
    'Contents unpack to at most 8 MiB.',
    'What is larger was not looked at; files of that size belong into images.',
    'Ship it in an image.',
  ],
  'verification-hash': [
    'Verification hash',
    'The hash is that of the contents once they are unpacked.',
    'Nodes refuse the file.',
    'Take sha256sum or sha512sum of the file before gzip.',
  ],
  'overwrite-nothing': [
    'Overwrite without contents',
    'overwrite stands with contents.',
    'Ignition refuses the config.',
    'Add contents, or leave overwrite out.',
  ],
  'file-append': [
    'Append',
    'Files are written as a whole.',
    'The Machine Config Operator does not support append, and the pool degrades.',
    'Write a file of its own in a directory that is read as well.',
  ],
  'owner-twice': [
    'Owner',
    'An owner has an id or a name.',
    'Ignition refuses the config.',
    'Keep one of them.',
  ],
  'secret-in-config': [
    'Secret',
    'MachineConfigs hold no private keys and no credentials.',
    'Everyone who may read MachineConfigs reads them, and must-gather takes them along.',
    'Keep it in a Secret; registries belong into the pull secret of the cluster.',
  ],
  'path-not-absolute': [
    'Path',
    'Paths begin with "/".',
    'Ignition refuses the config.',
    'Write the path from the root of the node.',
  ],
  'path-not-clean': [
    'Path',
    'Paths have no "//", ".", ".." and no "/" at the end.',
    'Ignition refuses the config.',
    'Write the path as the finding says.',
  ],
  'path-duplicate': [
    'Path',
    'Each path stands once among files, directories and links.',
    'Ignition refuses the config.',
    'Keep one of them.',
  ],
  'path-through-link': [
    'Path through a link',
    'No path leads through a link of the same config.',
    'Ignition refuses the config.',
    'Write the path that the link leads to.',
  ],
  'path-is-unit': [
    'Path of a unit',
    'No file has the path of a unit of the same config.',
    'Ignition refuses the config.',
    'Keep the unit.',
  ],
  'path-read-only': [
    'Read-only path',
    'Files are below /etc, /var, /opt, /root or /usr/local.',
    '/usr is read-only on nodes, and the pool degrades.',
    'Use another path, or a layered image.',
  ],
  'path-volatile': [
    'Volatile path',
    'Files are where they stay.',
    'What is below /run or /tmp is gone after a boot; the daemon finds it missing, and the pool degrades.',
    'Use /etc or /var, or tmpfiles.d.',
  ],
  'path-forbidden': [
    'Forbidden path',
    'No MachineConfig writes /run/machine-config-daemon-force.',
    'The operator refuses it, and the pool degrades.',
    'Touch it by hand on the node that needs it.',
  ],
  'path-rewritten': [
    'Path that others write',
    'Files are written by nobody else on the node.',
    'The daemon compares them byte by byte, and the pool degrades when one differs.',
    'Change the file through what writes it.',
  ],
  'file-overridden': [
    'Two contents for one file',
    'MachineConfigs of one pool do not write the same file differently.',
    'The last one wins, and the other reaches no node.',
    'Write to different paths, or keep one.',
  ],
  'rendered-too-large': [
    'Size of what is merged',
    'All that a pool merges has at most 1,572,864 bytes as JSON.',
    'The operator refuses more, and the pool degrades; a warning begins at 80 %.',
    'Pack large files with gzip, or ship them in an image.',
  ],
} as const satisfies Partial<Record<ManifestRuleId, Text>>;
