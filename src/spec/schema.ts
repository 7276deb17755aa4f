import { z } from 'zod';
import { KmodError } from '../errors.ts';
import { parseArch } from '../oci/arch.ts';
import { parseReference } from '../oci/reference.ts';
import { parseKernelRelease } from './kernel-release.ts';
import { parseModuleName } from './module-name.ts';
import { parseOpenShiftVersion } from './openshift-version.ts';
import { parseReleaseRange } from './release-range.ts';
import { parseReleaseRequest } from './release-request.ts';
import { SOURCE_TREES, SOURCES } from './source-kinds.ts';
import * as values from './values.ts';

/** A string that a parser turns into a value; its error becomes the problem, hint included. */
function parsed<Value>(parse: (text: string) => Value) {
  return z.string().transform((text, context): Value => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof KmodError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { hint: error.hint } });
      return z.NEVER;
    }
  });
}

/** A string that matches a rule; the JSON Schema shows the rule's pattern. */
function text({ pattern, what, hint, isPrivate = false }: values.TextRule) {
  return z
    .string()
    .superRefine((value, context) => {
      if (pattern.test(value)) return;
      const message = isPrivate
        ? `Cannot use this ${what}`
        : `Cannot use ${what} ${JSON.stringify(value.slice(0, 200))}`;
      context.addIssue({ code: 'custom', message, params: { hint } });
    })
    .meta({ pattern: pattern.source });
}

/** Where a relation between keys cannot be said by a type, the JSON Schema says it for editors; `crossCheck` enforces it. */
function exactlyOne(...keys: readonly string[]): { oneOf: { required: string[] }[] } {
  return { oneOf: keys.map((key) => ({ required: [key] })) };
}

const moduleName = parsed(parseModuleName);
const repository = parsed(values.parseRepository);
const path = text(values.LINE);

const Targets = z
  .strictObject({
    releases: z
      .array(parsed(parseReleaseRequest))
      .min(1)
      .describe(
        'Full versions ("4.18.4"), ranges ("4.16.x", ">=4.18.3 <4.20"), release images by tag or digest, or "oci:DIRECTORY".',
      ),
    graph: parsed(values.parseGraphLocation)
      .optional()
      .describe(
        'Where ranges are looked up: the address of an update service, or a file with an answer of one. Without it, api.openshift.com.',
      ),
    releaseRepository: parsed(values.parseRepository)
      .optional()
      .describe(
        'Repository in which versions are looked up. Without it, quay.io/openshift-release-dev/ocp-release, or that of OKD.',
      ),
    arches: z
      .array(z.enum(['x86_64', 'aarch64', 'ppc64le', 's390x', 'amd64', 'arm64']).transform(parseArch))
      .min(1)
      .prefault(['x86_64']),
    streams: z
      .array(text(values.STREAM))
      .min(1)
      .optional()
      .describe('Streams of the OS, for instance "rhel-9". Without it, the default stream of each release.'),
    kernels: z
      .array(z.enum(['default', 'rt', '64k']))
      .min(1)
      .prefault(['default'])
      .describe('Kernels to build for.'),
    exclude: z
      .array(
        z
          .strictObject({
            release: parsed(parseReleaseRange).optional().describe('A version, or a range of versions.'),
            kernel: text(values.KERNEL_PATTERN)
              .optional()
              .describe('Kernel of the OS image; "*" stands for any characters.'),
            because: text(values.LINE),
          })
          .meta(exactlyOne('release', 'kernel')),
      )
      .prefault([])
      .describe('Releases or kernels to leave out, each with the reason.'),
    ceiling: z
      .array(
        z.strictObject({
          minor: parsed(values.parseMinor),
          release: parsed(parseOpenShiftVersion),
          because: text(values.LINE),
        }),
      )
      .prefault([])
      .describe('The last release of a minor to build for, with the reason.'),
  })
  .describe('What to build for.');

/** A file by URL or path, whose checksum says which one it is. */
const checkedFile = {
  url: parsed(values.parseDownloadUrl).optional().describe('Where it is downloaded from: https or http.'),
  file: path.optional().describe('The file on this machine.'),
  sha256: parsed(values.parseSha256).describe(
    'What "sha256sum FILE" prints; it is checked before the file is used.',
  ),
};

const treeKeys = {
  directory: path.optional().describe('Directory of the source.'),
  git: z
    .strictObject({
      url: parsed(values.parseGitUrl),
      ref: text(values.GIT_REF).describe('Tag, branch or full commit.'),
    })
    .optional(),
  archive: z
    .strictObject({
      ...checkedFile,
      directory: text(values.RELATIVE_DIRECTORY)
        .optional()
        .describe('Directory in the archive. Without it, the only one at its top, or all of it.'),
    })
    .meta(exactlyOne('url', 'file'))
    .optional()
    .describe('A tar, plain or packed with gzip, xz or zstd.'),
};

const CheckedFile = z.strictObject(checkedFile).meta(exactlyOne('url', 'file'));

const Rpm = z
  .strictObject({
    kernel: parsed(parseKernelRelease)
      .optional()
      .describe('Kernel that its modules are for. Without it, there is one package for all.'),
    ...checkedFile,
  })
  .meta(exactlyOne('url', 'file'));

const Tree = z.strictObject(treeKeys).meta(exactlyOne(...SOURCE_TREES));

const Source = z
  .strictObject({
    ...treeKeys,
    srpm: CheckedFile.optional().describe(
      'A source package: its %prep is run by rpmbuild in the driver-toolkit, and what that leaves is built.',
    ),
    rpm: z
      .union([Rpm, z.array(Rpm).min(1)])
      .optional()
      .describe('Packages with modules that are built already, one for each kernel; nothing of them is run.'),
    image: parsed(values.parseImagePattern)
      .optional()
      .describe(
        'Images with modules that are built already, below any prefix. "{kernel}" and "{arch}" in the tag are filled in.',
      ),
    dkms: Tree.optional().describe(
      'A source with a dkms.conf, which says how it is built: exactly one of "directory", "git" and "archive".',
    ),
    module: z
      .strictObject({
        file: path.describe('YAML with the Module and the ConfigMap that has its Dockerfile.'),
        name: text({ ...values.DNS_LABEL, what: 'name of the Module' })
          .optional()
          .describe('The Module that is meant, when the file has several.'),
      })
      .optional()
      .describe('A Module of Kernel Module Management, built from its Dockerfile as the operator would.'),
    files: z
      .array(text(values.MODULE_FILE))
      .min(1)
      .optional()
      .describe('Modules that are built already. They must be for the kernel of every target.'),
  })
  .describe('Where the source is: exactly one of these.')
  .meta(exactlyOne(...SOURCES));

const Build = z
  .strictObject({
    run: text(values.COMMAND)
      .optional()
      .describe('Shell command that runs in the driver-toolkit, with KERNEL_RELEASE set.'),
    workdir: text(values.RELATIVE_DIRECTORY).optional().describe('Directory in the source where "run" runs.'),
    containerfile: path.optional().describe('Containerfile with a stage that holds the modules.'),
    stage: text(values.STAGE).optional().describe('That stage; without it, the last one.'),
    output: path
      .optional()
      .describe('Directory that holds the modules: in the source, or absolute in the stage.'),
    args: z.record(text(values.ARGUMENT_NAME), text(values.ARGUMENT_VALUE)).prefault({}),
    secrets: z
      .array(z.strictObject({ id: text(values.SECRET_ID), file: path }))
      .prefault([])
      .describe('Files that are mounted while the build runs and are never part of an image.'),
  })
  .describe('How to build: exactly one of "run" and "containerfile".')
  .meta(exactlyOne('run', 'containerfile'));

const Module = z.strictObject({
  name: moduleName.describe('Name as lsmod shows it.'),
  autoload: z.boolean().prefault(false).describe('Load it at each boot.'),
  replaces: z.array(moduleName).prefault([]).describe('In-tree modules that it takes the place of.'),
  parameters: z.record(text(values.PARAMETER_NAME), text(values.PARAMETER_VALUE)).prefault({}),
  initramfs: z
    .boolean()
    .optional()
    .describe(
      'Also put it into the initramfs, with all that it needs: for what must be there before the root file system is. The layer then holds the initramfs of the OS image and an archive more.',
    ),
});

const DriverEntry = z.strictObject({
  name: text({ ...values.DNS_LABEL, what: 'driver name' }),
  version: text(values.DRIVER_VERSION),
  source: Source,
  build: Build.optional(),
  modules: z.array(Module).min(1),
  softdeps: z
    .array(
      z.strictObject({
        module: moduleName,
        pre: z.array(moduleName).prefault([]),
        post: z.array(moduleName).prefault([]),
      }),
    )
    .prefault([])
    .describe('Modules to load before and after another.'),
  firmware: path.optional().describe('Directory whose files go under usr/lib/firmware.'),
  dependsOn: z
    .array(text({ ...values.DNS_LABEL, what: 'driver name' }))
    .prefault([])
    .describe(
      'Drivers of this set whose symbols it imports: they are compiled first, and their Module.symvers is handed on.',
    ),
});

const Secret = z
  .strictObject({
    env: text(values.VARIABLE_NAME).optional().describe('Environment variable that holds it.'),
    file: path.optional().describe('File whose first line it is.'),
  })
  .meta(exactlyOne('env', 'file'));

const Signer = z
  .strictObject({
    key: parsed(values.parseKeySource)
      .optional()
      .describe(
        'Private key: "file:PATH" (PEM or DER), or "pkcs11:token=NAME;object=LABEL" for a token (RFC 7512).',
      ),
    passphrase: Secret.optional().describe('Passphrase of the key file.'),
    library: path
      .optional()
      .describe(
        'PKCS#11 library of the token. Without it, "module-path" of the URI, else $PKCS11_MODULE_PATH.',
      ),
    pin: Secret.optional().describe('PIN of the token. Without it, "pin-source" of the URI, else none.'),
    command: z
      .array(text(values.WORD))
      .min(1)
      .optional()
      .describe(
        'Program that signs, and its arguments; no shell reads them. It runs in the directory of the spec, gets its ' +
          'input on stdin and the rest in variables (KMODLAYER_HASH, KMODLAYER_MODULE, KMODLAYER_CERTIFICATE, and ' +
          'KMODLAYER_FILE or KMODLAYER_DIGEST), and prints the signature: the bare value, or a detached CMS message.',
      ),
    input: z
      .enum(['digest', 'file'])
      .optional()
      .describe('What "command" is given: the digest (the default), or the module without a signature.'),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(3600)
      .optional()
      .describe('How long "command" may take for one module; 60 when absent.'),
    certificate: path.describe('File of the certificate of the key, DER or PEM.'),
    hash: z.enum(['sha256', 'sha384', 'sha512']).prefault('sha256'),
  })
  .describe('Exactly one of "key" and "command".')
  .meta(exactlyOne('key', 'command'));

const Signing = z
  .union([z.literal('throw-away'), z.array(Signer).max(2)])
  .prefault([])
  .describe(
    'How to sign: one signer, or two while a key is being replaced. "throw-away" signs with a key that is made for the ' +
      'one build and forgotten; such images cannot be published. Without it, modules stay unsigned.',
  );

/** The shape of `kmodlayer.yaml`; `spec.schema.json` is made from it. */
export const Spec = z
  .strictObject({
    apiVersion: z.literal('kmodlayer/v1'),
    kind: z.literal('DriverSet'),
    metadata: z.strictObject({ name: text({ ...values.DNS_LABEL, what: 'name of the set' }) }),
    targets: Targets,
    drivers: z.array(DriverEntry).min(1),
    sign: Signing,
    publish: z.strictObject({
      osImage: parsed(values.parseRepository).describe('Repository that receives the layered images.'),
      kmodImage: z
        .union([
          repository,
          z.strictObject({
            repository,
            base: parsed(parseReference)
              .optional()
              .describe(
                'Image that they stand on, best by digest. KMM needs /bin/sh, mkdir and cp in it, as in ubi-minimal; without it, only the Day 1 loader "host" can use them.',
              ),
          }),
        ])
        .optional()
        .describe(
          'Repository of the images that Day 1 units and KMM pull, with a tag for each kernel, and the image that they stand on.',
        ),
    }),
    reuse: z
      .strictObject({
        withoutCompiling: z
          .boolean()
          .prefault(false)
          .describe(
            'Modules that were published for another kernel go into the image as they are when the static proof holds for the new kernel: version magic, and the CRC, namespace and licence of each symbol. Otherwise they are compiled.',
          ),
      })
      .prefault({})
      .describe('What need not be made anew.'),
    rollout: z
      .strictObject({
        pools: z
          .array(text({ ...values.DNS_LABEL, what: 'pool' }))
          .min(1)
          .prefault(['worker'])
          .describe('MachineConfigPools that get the images.'),
        day1: z
          .array(text({ ...values.DNS_LABEL, what: 'driver name' }))
          .prefault([])
          .describe('Drivers that Day 1 units load, in this order; the others are in the layered image.'),
      })
      .prefault({}),
  })
  .meta({
    title: 'kmodlayer.yaml',
    description: 'Drivers, the OpenShift releases to build them for, and where to publish.',
  });

/** A spec whose shape and values are right. */
export type Spec = z.output<typeof Spec>;
