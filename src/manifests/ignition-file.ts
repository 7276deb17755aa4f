import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';

/** An absolute path on a node where a MachineConfig may write: writable, and in its simplest spelling. */
export type NodePath = Brand<string, 'NodePath'>;

/** An absolute path in its simplest spelling: inside of a kmod image, or of a file that is there already. */
export type AbsolutePath = Brand<string, 'AbsolutePath'>;

/** A file as Ignition and the Machine Config Operator write it. */
export interface IgnitionFile {
  readonly path: NodePath;
  /** Permissions, at most 0o777; prints as the decimal number that Ignition wants. */
  readonly mode: number;
  readonly overwrite: true;
  readonly user: { readonly name: 'root' };
  /** A data URL, in base64. */
  readonly contents: { readonly source: string };
}

// Paths reach arguments of podman (`-v a:b`), units and shells; no one needs more characters than these.
const PATH = /^(?:\/[A-Za-z0-9._+@-]+)+$/;

/** What an OSTree node can be written to; the rest of it is read-only, or is not kept over a boot. */
const WRITABLE = ['/etc/', '/var/', '/usr/local/', '/opt/', '/root/', '/srv/'];

/**
 * Reads an absolute path.
 *
 * @throws {SpecError} `VALUE_INVALID` for paths that are relative, not simplified (`//`, `.`, `..`, a `/` at the end) or
 *   have unusual characters.
 */
export function parseAbsolutePath(text: string): AbsolutePath {
  if (text.length > 1024 || !PATH.test(text) || text.split('/').some(isDots)) {
    throw new SpecError('VALUE_INVALID', `Cannot use path ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'Write an absolute path without "//", "." or ".." of letters, digits and "._+@-".',
    });
  }
  return text as AbsolutePath;
}

/**
 * Reads a path of a node that is written to.
 *
 * @throws {SpecError} `VALUE_INVALID` as `parseAbsolutePath`, and for places that nodes keep read-only.
 */
export function parseNodePath(text: string): NodePath {
  const path = parseAbsolutePath(text);
  if (!WRITABLE.some((directory) => path.startsWith(directory))) {
    throw new SpecError('VALUE_INVALID', `Cannot write to ${path} on a node: it is read-only there`, {
      hint: `Choose a path below ${WRITABLE.join(', ')}.`,
    });
  }
  return path as string as NodePath;
}

/**
 * A file of root, which replaces what is there.
 *
 * @param file `mode` is a number such as 0o755.
 * @throws {SpecError} `VALUE_INVALID` for a mode above 0o777, which the Machine Config Operator refuses.
 */
export function makeIgnitionFile(file: {
  readonly path: NodePath;
  readonly mode: number;
  readonly contents: string | Uint8Array;
}): IgnitionFile {
  const { path, mode, contents } = file;
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new SpecError('VALUE_INVALID', `Cannot give ${path} mode ${mode}: it is not one of 0 to 0o777`, {
      hint: 'Write permissions as 0o644 or 0o755.',
    });
  }
  const base64 = Buffer.from(contents).toString('base64');
  return {
    path,
    mode,
    overwrite: true,
    user: { name: 'root' },
    contents: { source: `data:text/plain;base64,${base64}` },
  };
}

function isDots(component: string): boolean {
  return component === '.' || component === '..';
}
