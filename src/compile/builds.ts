import type { Build, BuildAsset, BuildRequest } from '../engine/engine.ts';
import { SpecError } from '../errors.ts';
import type { DriverBuild } from '../spec/driver-set.ts';
import { pathFrom } from '../spec/paths.ts';
import type { CompileRequest } from './compile.ts';
import type { KmmBuild } from './kmm-module.ts';
import {
  BUILD_DKMS,
  BUILD_DRIVER,
  CHECK_TOOLCHAIN,
  COLLECT_CONTAINERFILE,
  COLLECT_MODULES,
  DRIVER_TOOLKIT_CONTAINERFILE,
  PREPARE_SRPM,
} from './dockerfiles.generated.ts';
import { withRunFlags } from './run-steps.ts';

/** What a build needs that is not in the spec. */
export interface BuildInputs {
  /** Directory with the source. */
  readonly context: string | undefined;
  /** Id of the driver-toolkit in the engine. */
  readonly image: string;
  /** Text of the user's own Containerfile, where the driver has one. */
  readonly userContainerfile: string | undefined;
  /** How the Module of KMM builds, where the source is one. */
  readonly kmm?: KmmBuild | undefined;
}

/** The step of our Containerfile that runs the user's command, and so gets the secrets. */
const BUILD_STEP = 'RUN sh /kmodlayer/bin/build-driver.sh';

/** What a spec may not set, because it says which kernel and image is meant. KMM has the same rule. */
const RESERVED =
  /^(?:DTK_IMAGE|DTK_AUTO|KERNEL_RELEASE|KERNEL_VERSION|KERNEL_FULL_VERSION|RHEL_VERSION|TARGET_ARCH|MOD_NAME|KMODLAYER_.*)$/;

/**
 * The Containerfiles that make the modules of a driver: ours alone, or a check of the toolchain, then the user's, then
 * one that takes the modules out of the user's stage.
 *
 * @throws {SpecError} `VALUE_INVALID` when the spec sets an argument that is not its to set.
 */
export function makeBuilds(request: CompileRequest, inputs: BuildInputs): BuildRequest['builds'] {
  const { build } = request.driver;
  if (build === undefined) throw new TypeError(`Nothing to build for ${request.driver.name}`);
  checkArguments(build.args);
  const standard = standardArguments(request, inputs.image);
  const { DTK_IMAGE, KERNEL_RELEASE } = standard;
  const secrets = build.secrets.map(({ id, file }) => ({ id, file: pathFrom(request.set.file, file) }));
  if (build.type === 'run' || build.type === 'dkms') {
    return [
      {
        containerfile: mountSecrets(
          DRIVER_TOOLKIT_CONTAINERFILE,
          build.secrets.map(({ id }) => id),
        ),
        ...(inputs.context === undefined ? {} : { context: inputs.context }),
        args: {
          ...standard,
          // Of a source package, the directory is there only when it was prepared: the command goes there itself.
          ...(build.workdir === undefined || request.driver.source.type === 'srpm'
            ? {}
            : { KMODLAYER_WORKDIR: build.workdir }),
          ...(build.output === undefined ? {} : { KMODLAYER_OUTPUT: build.output }),
        },
        secrets,
      },
    ];
  }
  const check: Build = {
    containerfile: DRIVER_TOOLKIT_CONTAINERFILE,
    stage: 'check',
    args: { DTK_IMAGE, KERNEL_RELEASE },
    secrets: [],
  };
  const user: Build = {
    containerfile:
      inputs.kmm === undefined
        ? (inputs.userContainerfile ?? '')
        : mountKmmSecrets(
            inputs.kmm,
            build.secrets.map(({ id }) => id),
          ),
    ...(inputs.context === undefined ? {} : { context: inputs.context }),
    isForeign: true,
    ...(build.type === 'module' || build.stage === undefined ? {} : { stage: build.stage }),
    args: {
      ...inputs.kmm?.args,
      ...build.args,
      ...standard,
      ...(inputs.kmm === undefined ? {} : { MOD_NAME: inputs.kmm.name, MOD_NAMESPACE: inputs.kmm.namespace }),
      DTK_AUTO: inputs.image,
    },
    secrets,
  };
  const collect: Build = {
    containerfile: COLLECT_CONTAINERFILE,
    args: {
      DTK_IMAGE,
      STAGE_IMAGE: 'localhost/kmodlayer/build-1',
      ...(build.output === undefined ? {} : { KMODLAYER_OUTPUT: build.output }),
    },
    secrets: [],
  };
  return [check, user, collect];
}

/** Arguments that every build gets, under our names and under those that Containerfiles for KMM use. */
function standardArguments({ arch, driver, kernel, target, makeJobs = 1 }: CompileRequest, image: string) {
  return {
    DTK_IMAGE: image,
    KERNEL_RELEASE: kernel,
    KERNEL_VERSION: kernel,
    KERNEL_FULL_VERSION: kernel,
    RHEL_VERSION: target.driverToolkit.rhelVersion || target.rhelVersion,
    TARGET_ARCH: arch,
    MOD_NAME: driver.name,
    KMODLAYER_JOBS: String(makeJobs),
  };
}

/** Files that the scripts in `dockerfiles/` read: what the user wrote arrives in files, never in a line of a shell. */
export function makeAssets({ driver, symvers = {} }: CompileRequest): readonly BuildAsset[] {
  const { build, source } = driver;
  const variables = Object.entries(build?.args ?? {}).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`,
  );
  return [
    { path: 'check-toolchain.sh', text: CHECK_TOOLCHAIN },
    { path: 'build-driver.sh', text: BUILD_DRIVER },
    { path: 'collect-modules.sh', text: COLLECT_MODULES },
    { path: 'arguments.sh', text: variables.join('') },
    ...(build?.type === 'dkms' ? [{ path: 'build-dkms.sh', text: BUILD_DKMS }] : []),
    ...(source.type === 'srpm' ? [{ path: 'prepare-srpm.sh', text: PREPARE_SRPM }] : []),
    { path: 'command.sh', text: `${source.type === 'srpm' ? prepareCommand(build) : ''}${commandOf(build)}` },
    { path: 'modules.txt', text: driver.modules.map(({ name }) => `${name}\n`).join('') },
    ...Object.entries(symvers).map(([name, text]) => ({ path: `symvers/${name}.symvers`, text })),
  ];
}

/** Prepares the package in place, then goes where the user's command runs. */
function prepareCommand(build: DriverBuild | undefined): string {
  const workdir = build?.type === 'run' ? (build.workdir ?? '') : '';
  return `sh /kmodlayer/bin/prepare-srpm.sh\ncd "/kmodlayer/source/"'${workdir.replaceAll("'", `'\\''`)}'\n`;
}

function commandOf(build: DriverBuild | undefined): string {
  if (build?.type === 'dkms') return 'exec bash /kmodlayer/bin/build-dkms.sh\n';
  return build?.type === 'run' ? `${build.command}\n` : '';
}

/**
 * A Containerfile whose build step has secrets mounted under `/run/secrets`. The mounts cannot be arguments, so this is
 * the one place where text of a Containerfile is made.
 */
export function mountSecrets(containerfile: string, ids: readonly string[]): string {
  for (const id of ids) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(id)) {
      throw new SpecError('VALUE_INVALID', `Cannot use secret id ${JSON.stringify(id)}`, {
        hint: 'Use letters, digits, ".", "_" and "-".',
      });
    }
  }
  const mounts = ids.map((id) => `--mount=type=secret,id=${id} `).join('');
  return containerfile.replace(BUILD_STEP, BUILD_STEP.replace('RUN ', `RUN ${mounts}`));
}

/**
 * The Dockerfile of a Module, whose every step finds its Secrets where KMM's builds mount them: the secret `NAME.KEY` of
 * the spec is `/run/secrets/NAME/KEY`, the secret `NAME` is `/run/secrets/NAME`.
 */
export function mountKmmSecrets({ containerfile, secrets }: KmmBuild, ids: readonly string[]): string {
  const mounts = secrets.flatMap((name) => {
    const own = ids.filter((id) => id === name || id.startsWith(`${name}.`));
    if (own.length === 0) {
      throw new SpecError(
        'VALUE_INVALID',
        `Cannot build the Module: it mounts the Secret ${JSON.stringify(name)}`,
        {
          hint: `Add { id: ${name}.KEY, file: PATH } under "build.secrets", once for each key.`,
        },
      );
    }
    return own.map((id) => {
      const target = id === name ? name : `${name}/${id.slice(name.length + 1)}`;
      return `--mount=type=secret,id=${id},target=/run/secrets/${target} `;
    });
  });
  return withRunFlags(containerfile, mounts.join(''));
}

function checkArguments(args: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(args)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new SpecError('VALUE_INVALID', `Cannot use build argument ${JSON.stringify(name)}`, {
        hint: 'Use letters, digits and "_", starting with a letter.',
      });
    }
    if (RESERVED.test(name)) {
      throw new SpecError('VALUE_INVALID', `Cannot set build argument ${name}: it is set for you`, {
        hint: 'Take it out of "build.args"; it says which kernel or image is meant.',
      });
    }
  }
}
