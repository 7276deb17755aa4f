import { OciError, RegistryError } from '../errors.ts';
import { isDigest } from '../oci/digest.ts';
import type { RegistryReference } from '../oci/reference.ts';
import { parseTag } from '../oci/tag.ts';
import type { RemoteRepository } from './http/http-repository.ts';
import { type AskedBy, type MirrorRule, placesOf } from './mirrors.ts';

/** Failures of one place after which the next one is asked; a user's ^C or a bug is none of them. */
const NEXT: ReadonlySet<string> = new Set([
  'UNAUTHORIZED',
  'FORBIDDEN',
  'NOT_FOUND',
  'DIGEST_MISMATCH',
  'SIZE_MISMATCH',
  'UNEXPECTED_STATUS',
  'UNREACHABLE',
]);

/**
 * A repository that is read from its mirrors, in their order, and then from its source. The place that had the last
 * manifest is asked first for blobs; one that could not be reached is asked last from then on.
 *
 * @param open Opens a place; `isLast` says that there is no other one to fall back on.
 */
export function mirroredRepository(
  reference: RegistryReference,
  rule: MirrorRule,
  open: (place: RegistryReference, isLast: boolean) => RemoteRepository,
): RemoteRepository {
  const { host, repository } = reference;
  const logical: RegistryReference = { transport: 'docker', host, repository };
  const where = `${host}/${repository}`;
  const opened = new Map<string, RemoteRepository>();
  const unreachable = new Set<string>();
  let preferred: string | undefined;

  const candidates = (by: AskedBy): readonly RemoteRepository[] => {
    const places = placesOf(rule, logical, by);
    const all = places.map((place, at) => {
      const name = `${place.host}/${place.repository}`;
      const found = opened.get(name) ?? open(place, at === places.length - 1);
      opened.set(name, found);
      return found;
    });
    const rank = (candidate: RemoteRepository): number => {
      const name = nameOf(candidate);
      if (unreachable.has(name)) return 2;
      return by === 'any' && name === preferred ? 0 : 1;
    };
    return [...all].sort((one, other) => rank(one) - rank(other));
  };

  /** Asks one place after the other until one has an answer. `undefined` stands for "not here". */
  const ask = async <T>(
    by: AskedBy,
    doing: string,
    run: (candidate: RemoteRepository) => Promise<T | undefined>,
  ): Promise<T | undefined> => {
    const failures: Failure[] = [];
    let isLastFailed = false;
    for (const candidate of candidates(by)) {
      try {
        const answer = await run(candidate);
        isLastFailed = false;
        if (answer !== undefined) return answer;
      } catch (error) {
        note(failures, candidate, error);
        isLastFailed = true;
      }
    }
    if (isLastFailed) throw allFailed(doing, failures);
    if (candidates(by).length === 0) throw blocked(doing, rule);
    return undefined;
  };

  const note = (failures: Failure[], candidate: RemoteRepository, error: unknown): void => {
    const isForNext = (error instanceof RegistryError || error instanceof OciError) && NEXT.has(error.code);
    if (!isForNext) throw error;
    if (error.code === 'UNREACHABLE') unreachable.add(nameOf(candidate));
    failures.push({ place: nameOf(candidate), error: error as RegistryError });
  };

  return {
    reference: logical,
    places: () => candidates('any').map((candidate) => candidate.reference),
    async getManifest(tagOrDigest) {
      const doing = `read manifest ${tagOrDigest} of ${where}`;
      const found = await ask(isDigest(tagOrDigest) ? 'digest' : 'tag', doing, async (candidate) => {
        const manifest = await candidate.getManifest(tagOrDigest);
        preferred = nameOf(candidate);
        return manifest;
      });
      if (found === undefined) throw blocked(doing, rule);
      return found;
    },
    findManifest: (tagOrDigest) =>
      ask(isDigest(tagOrDigest) ? 'digest' : 'tag', `find manifest ${tagOrDigest} of ${where}`, (candidate) =>
        candidate.findManifest(tagOrDigest),
      ),
    async hasBlob(blob) {
      const found = await ask('any', `find blob ${blob.digest} of ${where}`, async (candidate) =>
        (await candidate.hasBlob(blob)) ? true : undefined,
      );
      return found === true;
    },
    async *readBlob(blob, options) {
      const doing = `read blob ${blob.digest} of ${where}`;
      const failures: Failure[] = [];
      for (const candidate of candidates('any')) {
        let isBegun = false;
        try {
          for await (const chunk of candidate.readBlob(blob, options)) {
            isBegun = true;
            yield chunk;
          }
          return;
        } catch (error) {
          // What was handed out cannot be taken back: another place could not vouch for it.
          if (isBegun) throw error;
          note(failures, candidate, error);
        }
      }
      throw failures.length === 0 ? blocked(doing, rule) : allFailed(doing, failures);
    },
    async listTags(limit) {
      const doing = `list the tags of ${where}`;
      const tags = await ask('tag', doing, (candidate) => candidate.listTags(limit));
      if (tags === undefined) throw blocked(doing, rule);
      return tags;
    },
    defaultManifest: () => Promise.resolve(parseTag('latest')),
    mountBlob: () => Promise.resolve(false),
    writeBlob: () => Promise.reject(readOnly(where)),
    writeManifest: () => Promise.reject(readOnly(where)),
  };
}

interface Failure {
  readonly place: string;
  readonly error: RegistryError;
}

/** One error for all places: the code and the hint of the last one, which is the source where that was asked. */
function allFailed(doing: string, failures: readonly Failure[]): RegistryError {
  const last = failures.at(-1)?.error;
  const [only] = failures;
  if (only !== undefined && failures.length === 1) return only.error;
  const said = failures.map(({ place, error }) => `${place}: ${stateOf(error)}`).join('; ');
  return new RegistryError(last?.code ?? 'NOT_FOUND', `Cannot ${doing}: tried ${said}`, {
    cause: last,
    hint: last?.hint,
    status: last?.status,
  });
}

/** What a message says after its "Cannot do this:". */
function stateOf({ message }: Error): string {
  return message.replace(/^Cannot [^]*?: (?=[^/])/, '');
}

function blocked(doing: string, { prefix, mirrors, file }: MirrorRule): RegistryError {
  const why =
    mirrors.length === 0
      ? `${prefix} is blocked`
      : `no mirror of ${prefix} may be asked for it, nor its source`;
  return new RegistryError('FORBIDDEN', `Cannot ${doing}: ${why}`, { hint: `${file} says so.` });
}

function readOnly(where: string): Error {
  return new RegistryError('UNSUPPORTED', `Cannot write to ${where}: it was opened for reading`);
}

function nameOf({ reference: { host, repository } }: RemoteRepository): string {
  return `${host}/${repository}`;
}
