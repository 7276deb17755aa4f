import { Command, InvalidArgumentError, Option } from 'commander';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addLockFlags,
  addOutputFlag,
  addProofFlag,
  addReleaseTrustFlags,
  graphOption,
  repeatable,
  reuseOption,
  type OutputFlags,
  type ProofFlags,
} from '../flags.ts';
import type { IoFlags } from '../make-io.ts';

/** Flags of `kmodlayer build`. */
export interface BuildFlags extends IoFlags, OutputFlags, ProofFlags {
  readonly file: string;
  readonly only?: readonly string[];
  readonly jobs?: number;
  readonly pushes?: number;
  readonly force?: boolean;
  readonly reuseModules?: boolean;
  readonly events?: string;
  readonly dryRun?: boolean;
  readonly keepGoing?: boolean;
  readonly manifests?: string;
  readonly kmmNamespace?: string;
  readonly throwAwayKey?: string;
  readonly graph?: string;
  readonly lockFile?: string;
  readonly lock?: boolean;
}

/** `kmodlayer build`: from a spec to pushed images and what rolls them out. */
export function buildCommand(context: CliContext): Command {
  const command = new Command('build')
    .description('compile, sign, layer and push what a spec describes, and print what rolls it out')
    .option('-f, --file <file>', 'the spec', 'kmodlayer.yaml')
    .addOption(
      repeatable(
        '--only <key=value,...>',
        'build some images only, by driver, release, arch, stream, kernel or flavour; may be repeated',
      ),
    )
    .option(
      '--engine <engine>',
      'what compiles: podman, buildah, docker, a path, or unix:///SOCKET (default: $KMODLAYER_ENGINE, else the first found)',
    )
    .addOption(
      new Option(
        '-j, --jobs <number>',
        'compiles that run at a time, which share the processors (default: one for every two processors)',
      ).argParser(parseJobs),
    )
    .addOption(
      new Option('--pushes <number>', 'images that are layered and pushed at a time (default: 4)').argParser(
        parseJobs,
      ),
    )
    .addOption(graphOption())
    .option('--dry-run', 'print what would be built; change nothing')
    .option('--force', 'compile and layer also what was done before')
    .addOption(reuseOption())
    .option('--keep-going', 'go on with everything that does not need what failed')
    .option('--log-dir <dir>', 'write what each compile prints to a file in this directory')
    .option(
      '--events <file>',
      'write events as lines of JSON to a file, "-" for stdout, or the number of a file descriptor',
    )
    .option('--manifests <dir>', 'write the MachineConfigs to this directory')
    .option(
      '--kmm-namespace <namespace>',
      'also make a Module of KMM in this namespace for each driver, with its kmod images by digest',
    )
    .option(
      '--throw-away-key <layout>',
      'for pull requests: sign with a key that is made now and forgotten, and write to this oci: layout instead',
    );
  return addImageFlags(addReleaseTrustFlags(addOutputFlag(addProofFlag(addLockFlags(command)))))
    .addHelpText(
      'after',
      `
Environment:
  KMODLAYER_ENGINE, KMODLAYER_ENGINE_ARGS, KMODLAYER_BUILD_ARGS
      container engine, arguments before its subcommands, and arguments of its "build"
  DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
      where the API of Docker is, and how it is reached
  SOURCE_DATE_EPOCH
      time that images are said to be made at (default: that of their base)

Examples:
  kmodlayer build -f kmodlayer.yaml --dry-run
  kmodlayer build --throw-away-key oci:out
  kmodlayer build --manifests manifests --kmm-namespace openshift-kmm
  kmodlayer build --keep-going --jobs 4 --log-dir logs --events events.ndjson
  kmodlayer build --only release=4.18.4 --manifests manifests --report proof.html -o json`,
    )
    .action(async (flags: BuildFlags) => {
      const { buildFromSpec } = await import('../build-from-spec.ts');

      await buildFromSpec(flags, context);
    });
}

function parseJobs(text: string): number {
  const jobs = Number(text);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 64) return jobs;
  throw new InvalidArgumentError('Give a number from 1 to 64.');
}
