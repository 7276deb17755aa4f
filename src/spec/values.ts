import { SpecError } from '../errors.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { formatReference, parseReference, unpinned, type Reference } from '../oci/reference.ts';
import type { GraphLocation } from './driver-set.ts';
import { parsePkcs11Uri, type Pkcs11Uri } from './pkcs11-uri.ts';
import type { Minor } from './release-range.ts';

/** A rule for text: what it must match, and what to say when it does not. */
export interface TextRule {
  readonly pattern: RegExp;
  /** What the text is, for instance `driver name`. */
  readonly what: string;
  readonly hint: string;
  /** The text may be a secret, put there by mistake: messages do not repeat it. */
  readonly isPrivate?: boolean;
}

export const DNS_LABEL = {
  pattern: /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  what: 'name',
  hint: 'Use lower-case letters, digits and "-", at most 63, with a letter or digit at both ends.',
} as const satisfies TextRule;

export const DRIVER_VERSION = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/,
  what: 'driver version',
  hint: 'Use letters, digits and ". _ + ~ -", at most 128.',
} as const satisfies TextRule;

export const STREAM = {
  pattern: /^[a-z][a-z0-9]{0,30}(?:-[a-z0-9]{1,31}){1,3}$/,
  what: 'stream',
  hint: 'Write the stream as the release names it, for instance "rhel-9".',
} as const satisfies TextRule;

// One line of text. Paths, commands and reasons become arguments, file lines and labels.
export const LINE = {
  pattern: /^[^\0-\x1f\x7f]{1,4096}$/,
  what: 'text',
  hint: 'Write one line without control characters.',
} as const satisfies TextRule;

// An argument of a program that no shell reads; it may be empty.
export const WORD = {
  pattern: /^[^\0]{0,4096}$/,
  what: 'argument',
  isPrivate: true,
  hint: 'Leave control characters out, and keep the argument short.',
} as const satisfies TextRule;

export const COMMAND = {
  pattern: /^(?!\s*$)[^\0-\x08\x0b-\x1f\x7f]{1,65536}$/,
  what: 'command',
  hint: 'Write a shell command, for instance "make -C src KSRC=/usr/src/kernels/$KERNEL_RELEASE".',
} as const satisfies TextRule;

export const ARGUMENT_NAME = {
  pattern: /^(?!KERNEL_RELEASE$)[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  what: 'build argument',
  hint: 'Use letters, digits and "_", starting with a letter; KERNEL_RELEASE is set for you.',
} as const satisfies TextRule;

export const ARGUMENT_VALUE = {
  pattern: /^[^\0-\x1f\x7f]{0,4096}$/,
  what: 'value of a build argument',
  isPrivate: true,
  hint: 'Write one line without control characters.',
} as const satisfies TextRule;

export const SECRET_ID = {
  pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/,
  what: 'secret id',
  hint: 'Use letters, digits and "_ . -".',
} as const satisfies TextRule;

export const VARIABLE_NAME = {
  pattern: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  what: 'environment variable',
  isPrivate: true,
  hint: 'Write the name of the variable, not its value.',
} as const satisfies TextRule;

export const PARAMETER_NAME = {
  pattern: /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/,
  what: 'parameter name',
  hint: 'Write a name that "modinfo -p" lists for the module.',
} as const satisfies TextRule;

// In double quotes the kernel takes every character but the quote itself; modprobe.d gives "\" and "#" a meaning.
export const PARAMETER_VALUE = {
  pattern: /^[\x20\x21\x24-\x5b\x5d-\x7e]{0,1024}$/,
  what: 'parameter value',
  hint: 'Use printable ASCII without double quotes, backslashes and "#", on one line.',
} as const satisfies TextRule;

export const RELATIVE_DIRECTORY = {
  pattern: /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\0-\x1f\x7f]{1,1024}$/,
  what: 'directory in the source',
  hint: 'Write a path below the source, without a leading "/" and without "..".',
} as const satisfies TextRule;

export const STAGE = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
  what: 'stage',
  hint: 'Write the name that stands behind AS in the Containerfile.',
} as const satisfies TextRule;

export const GIT_REF = {
  pattern: /^(?![-./+@#])(?!.*(?:\.\.|@\{|\/\/|\/$))[A-Za-z0-9._/+@#-]{1,255}$/,
  what: 'git ref',
  hint: 'Write a tag, a branch or a full commit, for instance "v1.14.13".',
} as const satisfies TextRule;

/** Module files, plain or compressed as kernels read them. */
export const MODULE_FILE = {
  pattern: /^[^\0-\x1f\x7f]{1,4000}\.ko(?:\.gz|\.xz|\.zst)?$/,
  what: 'module file',
  hint: 'Name files that end in .ko, .ko.gz, .ko.xz or .ko.zst.',
} as const satisfies TextRule;

/**
 * Reads where an update graph is: the address of an update service, or a file with one of its answers.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseGraphLocation(text: string): GraphLocation {
  if (!/^https?:\/\//i.test(text)) {
    const path = text.startsWith('file:') ? text.slice('file:'.length).replace(/^\/\/(?=\/)/, '') : text;
    if (LINE.pattern.test(path) && !/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return { type: 'file', path };
    throw invalid('update graph', text, 'it is neither a web address nor a file', GRAPH_HINT);
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    throw invalid('update graph', text, 'it is no web address', GRAPH_HINT);
  }
  // The text is not repeated: what stands before the "@" is a password.
  if (url.username !== '' || url.password !== '') {
    throw new SpecError('VALUE_INVALID', 'Cannot use this update graph: its address holds a password', {
      hint: 'Leave the password out: update graphs are read without one.',
    });
  }
  if (!/\/graph\/?$/.test(url.pathname)) {
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/upgrades_info/v1/graph`;
  }
  return { type: 'url', url: `${url.origin}${url.pathname}${url.search}` };
}

const GRAPH_HINT =
  'Write for instance https://api.openshift.com/api/upgrades_info/v1/graph, or the path of a file with an answer of it.';

/**
 * Reads a minor, for instance `4.18`.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseMinor(text: string): Minor {
  const [, major, minor] = /^(\d{1,2})\.(\d{1,2})$/.exec(text) ?? [];
  if (major === undefined || minor === undefined) {
    throw invalid('minor', text, 'it is not two numbers', 'Write for instance "4.18".');
  }
  return { major: Number(major), minor: Number(minor) };
}

/** Kernel releases, with `*` for any characters. */
export const KERNEL_PATTERN = {
  pattern: /^[A-Za-z0-9*][A-Za-z0-9._+~*-]{0,127}$/,
  what: 'kernel release',
  hint: 'Write what "uname -r" prints, for instance "5.14.0-611.7.1.el9_7.x86_64"; "*" stands for any characters.',
} as const satisfies TextRule;

/**
 * Reads a repository, to which tags are added later.
 *
 * @throws {SpecError} `VALUE_INVALID`; {OciError} for a name that is not one of an image.
 */
export function parseRepository(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined) {
    throw invalid(
      'repository',
      text,
      'it has a tag or a digest',
      `Write ${JSON.stringify(formatReference(unpinned(reference)))}: kmodlayer makes the tags.`,
    );
  }
  return reference;
}

/**
 * Reads the URL of a git repository. Helpers that run programs (`ext::`) and URLs that hold a password are refused;
 * so is every user of https, since tokens are given as one.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseGitUrl(text: string): string {
  const isUrl = /^(?:https|ssh|git|file):\/\/[^\s\0-\x1f\x7f]{1,2000}$/.test(text);
  const isScp =
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s\0-\x1f\x7f-][^\s\0-\x1f\x7f]{0,2000}$/.test(
      text,
    );
  // The text is not repeated: what stands before the "@" is a password, or a token.
  if (/^(?:[a-z]+:\/\/[^/]*:|https?:\/\/)[^/]*@/i.test(text)) {
    throw new SpecError('VALUE_INVALID', 'Cannot use this git URL: it holds a user or a password', {
      hint: 'Leave both out and let a git credential helper give it.',
    });
  }
  if (!isUrl && !isScp) {
    throw invalid(
      'git URL',
      text.replace(/^.*@/s, '...@'),
      'it is no URL of a kind that is fetched safely',
      'Write https://HOST/PATH, ssh://HOST/PATH, USER@HOST:PATH or file:///PATH; a directory is "directory: ./PATH".',
    );
  }
  return text;
}

/**
 * Reads the URL of a file. URLs that hold a password are refused.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseDownloadUrl(text: string): string {
  if (/^[a-z]+:\/\/[^/]*@/i.test(text)) {
    throw new SpecError('VALUE_INVALID', 'Cannot use this URL: it holds a user or a password', {
      hint: 'Downloads are made without credentials: get the file by other means, and write "file: ./PATH".',
    });
  }
  if (!/^https?:\/\/[^\s\0-\x1f\x7f]{1,2000}$/.test(text) || !URL.canParse(text)) {
    throw invalid('URL', text, 'it is no web address', 'Write https://HOST/PATH, or "file: ./PATH".');
  }
  return text;
}

/**
 * Reads a checksum: 64 hex digits, with or without `sha256:`.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseSha256(text: string): Digest {
  const digest = `sha256:${text.replace(/^sha256:/, '').toLowerCase()}`;
  if (!isDigest(digest)) {
    throw invalid(
      'checksum',
      text,
      'it is no sha256',
      'Write the 64 hex digits that "sha256sum FILE" prints.',
    );
  }
  return digest;
}

/** What `{kernel}` and `{arch}` of an image stand for. The `+` of a kernel release becomes `_`, as KMM has it in tags. */
export function imageOf(pattern: string, kernel: string, arch: string): Reference {
  const inTag = (text: string): string => text.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return parseReference(pattern.replaceAll('{kernel}', inTag(kernel)).replaceAll('{arch}', inTag(arch)));
}

/**
 * Reads the image of a vendor, whose tag may hold `{kernel}` and `{arch}`.
 *
 * @throws {SpecError} `VALUE_INVALID`; {OciError} for a name that is not one of an image.
 */
export function parseImagePattern(text: string): string {
  const reference = imageOf(text, '5.14.0-427.50.1.el9_4.x86_64', 'x86_64');
  if (reference.transport === 'docker' && reference.tag === undefined && reference.digest === undefined) {
    throw invalid(
      'image',
      text,
      'it has neither tag nor digest',
      'Add ":{kernel}", ":TAG" or "@sha256:...".',
    );
  }
  return text;
}

/** Where a private key is. */
export type KeySource =
  { readonly type: 'file'; readonly path: string } | { readonly type: 'pkcs11'; readonly uri: Pkcs11Uri };

/**
 * Reads where a private key is: `file:PATH`, a plain path, or `pkcs11:...`.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseKeySource(text: string): KeySource {
  if (/^pkcs11:/i.test(text)) return { type: 'pkcs11', uri: parsePkcs11Uri(text) };
  if (text.includes('-----BEGIN')) {
    throw new SpecError('VALUE_INVALID', 'Cannot use this key: it is the key itself', {
      hint: 'Keep the key in a file of its own and name that file: "file:PATH".',
    });
  }
  const path = text.startsWith('file:') ? text.slice('file:'.length) : text;
  if (!LINE.pattern.test(path)) throw invalid('key', text, 'it names no file', 'Write "file:PATH".');
  return { type: 'file', path };
}

/** The `VALUE_INVALID` error of one value. */
export function invalid(what: string, text: string, why: string, hint: string): SpecError {
  return new SpecError('VALUE_INVALID', `Cannot use ${what} ${JSON.stringify(text.slice(0, 200))}: ${why}`, {
    hint,
  });
}
