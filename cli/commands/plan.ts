import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addLockFlags,
  addOutputFlag,
  graphOption,
  repeatable,
  reuseOption,
} from '../flags.ts';
import type { IoFlags } from '../make-io.ts';
import type { ReportFormat } from '../report/output.ts';

/** Flags of `kmodlayer plan`. */
export interface PlanFlags extends IoFlags {
  readonly file: string;
  readonly only?: readonly string[];
  readonly offline?: boolean;
  readonly reuseModules?: boolean;
  readonly graph?: string;
  readonly lockFile?: string;
  readonly lock?: boolean;
  readonly output: ReportFormat;
}

/** `kmodlayer plan`: what a build would compile, layer and reuse, and why; changes nothing. */
export function planCommand(context: CliContext): Command {
  const command = new Command('plan')
    .description('print what a build would compile, build and reuse, by kernel, and why; changes nothing')
    .option('-f, --file <file>', 'the spec', 'kmodlayer.yaml')
    .addOption(
      repeatable(
        '--only <key=value,...>',
        'plan some images only, by driver, release, arch, stream, kernel or flavour; may be repeated',
      ),
    )
    .option('--offline', 'do not look up what is there already')
    .addOption(reuseOption())
    .addOption(graphOption());
  return addImageFlags(addOutputFlag(addLockFlags(command), ['table', 'json', 'yaml', 'markdown', 'matrix']))
    .addHelpText(
      'after',
      `
Forms of -o beside those of every verb:
  markdown   a table of kernels and releases, for release notes
  matrix     a matrix for GitHub Actions, one job for each kernel with something to do; "only" is for build --only

Examples:
  kmodlayer plan
  kmodlayer plan -f kmodlayer.yaml --only arch=aarch64 -o json
  echo "matrix=$(kmodlayer plan -o matrix)" >> "$GITHUB_OUTPUT"`,
    )
    .action(async (flags: PlanFlags) => {
      const { planFromSpec } = await import('../plan-from-spec.ts');

      await planFromSpec(flags, context);
    });
}
