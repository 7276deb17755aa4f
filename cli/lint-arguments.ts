import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import type { CliContext } from './context.ts';

/** What somebody wants to be linted: files and directories with manifests, and images. */
export interface LintArguments {
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly images: readonly string[];
}

/**
 * Tells manifests from images: what exists as a file or a directory, what ends as one of YAML, and `-` are manifests.
 *
 * @throws {SpecError} `USAGE` for a directory that is an image.
 */
export async function sortArguments(names: readonly string[], { cwd }: CliContext): Promise<LintArguments> {
  const files: string[] = [];
  const directories: string[] = [];
  const images: string[] = [];
  for (const name of names) {
    if (name === '-') files.push(name);
    else if (/^(?:oci|oci-archive|docker):/.test(name)) images.push(name);
    else {
      const found = await stat(resolve(cwd, name)).catch(() => undefined);
      if (found?.isDirectory() === true) {
        await requireNoLayout(name, cwd);
        directories.push(name);
      } else if (found !== undefined || /\.(?:ya?ml|json)$/i.test(name)) files.push(name);
      else images.push(name);
    }
  }
  return { files, directories, images };
}

async function requireNoLayout(name: string, cwd: string): Promise<void> {
  const layout = await stat(resolve(cwd, join(name, 'oci-layout'))).catch(() => undefined);
  if (layout === undefined) return;
  throw new SpecError('USAGE', `Cannot lint ${name} as manifests: it is an image in a directory`, {
    hint: `Write oci:${name}, with :TAG when it has several.`,
  });
}
