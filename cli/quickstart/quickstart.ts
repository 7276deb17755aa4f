import { rmSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasColour, type CliContext } from '../context.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { temporaryRoot } from '../io/directories.ts';
import { makeStyle } from '../report/style.ts';
import { run } from '../run.ts';

/** Inputs of the main job, small and real; below the top of the repository. */
const INPUTS = join('fixtures', 'quickstart');

/** Where nodes would pull the image from. Nobody has this host (RFC 2606). */
const REPOSITORY = 'quay.example.com/acme/rhcos-hello';

const USAGE = `Usage: npm run quickstart [-- --keep]

The main job on small inputs of this repository: from a release and a driver to a signed OS image and its MachineConfig.
Needs no root, no network and no container engine. With --keep, what it made stays.
`;

/**
 * Runs the main job with the commands that a user would type, and shows each.
 *
 * @param argv Nothing, or `--keep`.
 * @returns The exit code of the first command that failed; 0 when none did.
 */
export async function quickstart(argv: readonly string[], context: CliContext): Promise<number> {
  if (argv.some((argument) => argument !== '--keep')) {
    context.stderr.write(USAGE);
    return EXIT_CODES.usage;
  }
  const directory = await mkdtemp(join(temporaryRoot(context.env), 'kmodlayer-quickstart-'));
  const cleanUp = (): void => {
    rmSync(directory, { recursive: true, force: true });
  };
  const isKept = argv.includes('--keep');
  if (!isKept) context.cleanups.add(cleanUp);
  try {
    await cp(join(context.cwd, INPUTS), directory, { recursive: true });
    return await mainJob({ directory, isKept }, context);
  } finally {
    if (!isKept) await rm(directory, { recursive: true, force: true });
    context.cleanups.delete(cleanUp);
  }
}

interface Place {
  readonly directory: string;
  readonly isKept: boolean;
}

async function mainJob({ directory, isKept }: Place, context: CliContext): Promise<number> {
  // What is learnt from these inputs is of no use to other builds: their cache is left alone.
  const inside = {
    ...context,
    cwd: directory,
    env: { ...context.env, XDG_CACHE_HOME: join(directory, 'cache') },
  };
  const style = makeStyle(hasColour(context, context.stdout));
  const say = (text: string): void => {
    context.stdout.write(`${text}\n`);
  };
  const command = async (words: readonly string[]): Promise<void> => {
    say(style.strong(`$ kmodlayer ${words.join(' ')}`));
    const exitCode = await run(words, inside);
    if (exitCode !== EXIT_CODES.done) throw new CommandFailed(exitCode);
    say('');
  };

  try {
    say(`Working in ${directory}, a copy of ${INPUTS}.\n`);
    say('1. What is in the release?');
    await command(['resolve', 'oci:release:4.18.4']);

    say('2. Which driver, for which release, signed with which key? (That key is public: never trust it.)');
    say(style.strong('$ cat kmodlayer.yaml'));
    say(await readFile(join(directory, 'kmodlayer.yaml'), 'utf8'));

    say('3. Sign the modules, make the layer, push the image, here to a directory.');
    await command(['build', '-f', 'kmodlayer.yaml']);
    const { tag, digest } = await readPushed(join(directory, 'published'));

    say('4. What was pushed: the digest that the layout has, the files of the layer, and who signed.');
    await command(['inspect', `oci:published@${digest}`]);

    say('5. What rolls it out, once the image is where nodes can pull it.');
    const image = `${REPOSITORY}@${digest}`;
    await command([
      'machine-config',
      'os-image',
      '--name',
      '99-worker-hello',
      '--pool',
      'worker',
      '--image',
      image,
    ]);

    say(ownCluster({ tag, from: isKept ? join(directory, 'published') : 'published' }));
    say(
      isKept
        ? `All of it is in ${directory}.`
        : `${directory} is removed. To keep it: npm run quickstart -- --keep`,
    );
    return EXIT_CODES.done;
  } catch (error) {
    if (error instanceof CommandFailed) return error.exitCode;
    throw error;
  }
}

/** Ends the quickstart. The command has said already what is wrong. */
class CommandFailed extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`A command ended with ${exitCode}`);
    this.exitCode = exitCode;
  }
}

interface PushedIndex {
  readonly manifests: readonly {
    readonly digest: string;
    readonly annotations: { readonly 'org.opencontainers.image.ref.name': string };
  }[];
}

/** The one image of the layout that the build made. */
async function readPushed(layout: string): Promise<{ readonly tag: string; readonly digest: string }> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as PushedIndex;
  const [pushed] = index.manifests;
  if (pushed === undefined) throw new Error(`${layout} holds no image`);
  return { digest: pushed.digest, tag: pushed.annotations['org.opencontainers.image.ref.name'] };
}

function ownCluster({ tag, from }: { readonly tag: string; readonly from: string }): string {
  return `Your own cluster:
  1. Write a kmodlayer.yaml with your release ("oc get clusterversion"), the source of your driver, your key, and
     "osImage: ${REPOSITORY}" with your registry. README.md has one.
  2. Fetch a pull secret from https://console.redhat.com/openshift/install/pull-secret, and have podman at hand.
  3. Build, push and roll out:
       node dist/cli/main.js build -f kmodlayer.yaml --authfile pull-secret.json --manifests manifests
       oc apply -f manifests/
  An image that was built into a layout, such as this one, is copied to a registry with:
       skopeo copy --preserve-digests oci:${from}:${tag} docker://${REPOSITORY}:${tag}
`;
}
