import { resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import { bundleManifests } from '../src/manifests/bundle-manifests.ts';
import { parseSubdomain } from '../src/manifests/labels.ts';
import { parseReference } from '../src/oci/reference.ts';
import { importBundle, readBundle } from '../src/push/bundle/import.ts';
import type { BundleImportFlags } from './commands/bundle.ts';
import type { CliContext } from './context.ts';
import { writeOutput } from './io/write-output.ts';
import { makeIo } from './make-io.ts';
import { importedBundleData, importedBundleText } from './report/bundle-text.ts';
import { printResult } from './report/output.ts';

/**
 * Pushes what a bundle holds, writes what clusters need to find it, and says what it did.
 *
 * @throws {SpecError} `USAGE`, `VALUE_INVALID`; and as `readBundle` and `importBundle` do.
 */
export async function runBundleImport(
  file: string,
  flags: BundleImportFlags,
  context: CliContext,
): Promise<void> {
  const { to: prefix, manifests: directory, output } = flags;
  const name = parseSubdomain(flags.name);
  const reference = parseReference(`oci-archive:${file}`);
  if (reference.tag !== undefined) {
    throw new SpecError(
      'USAGE',
      `Cannot import ${JSON.stringify(file.slice(0, 200))}: its name has a colon`,
      {
        hint: 'Name the file alone: all of its images are imported.',
      },
    );
  }
  const io = await makeIo(context, flags);
  const archive = await io.images.open(reference, 'read');
  const bundle = await readBundle(archive);
  const images = await importBundle(bundle, { archive, prefix }, io);
  const files = bundleManifests(name, { images, signatures: bundle.signatures });
  if (directory !== undefined) {
    for (const { fileName, yaml } of files) {
      await writeOutput(resolve(context.cwd, directory, fileName), Buffer.from(yaml));
    }
  }
  const result = { images, signed: [...bundle.signatures.keys()], files, directory };
  await printResult(context, output, {
    verb: 'bundle-import',
    data: { file, ...importedBundleData(result) },
    text: () => importedBundleText(result),
  });
}
