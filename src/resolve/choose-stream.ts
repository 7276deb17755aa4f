import type { Components } from './components.ts';
import type { Payload } from './payload.ts';
import {
  defaultStream,
  STREAM_CLASS,
  type StreamCandidate,
  streamCandidates,
  streamUnknown,
} from './streams.ts';

/** The OS image that was chosen for a stream. */
export interface ChosenStream extends StreamCandidate {
  /**
   * The stream by everything that is known once the image is open.
   *
   * @returns `isCertain` is false when neither an annotation nor a label says it, but the name of the image alone.
   * @throws {ResolveError} `STREAM_UNKNOWN` when the label says that the image is not of the stream that is wanted.
   */
  requireLabel(labels: Readonly<Record<string, string>>): {
    readonly stream: string;
    readonly isCertain: boolean;
  };
}

/**
 * Chooses the OS image of a stream. Annotations of the payload decide, then labels of the images, then their names. The
 * image is opened here only when the payload leaves a choice: else its label is judged later, so that no time is lost.
 *
 * @param wanted Undefined for the stream that the release installs.
 * @throws {ResolveError} `STREAM_UNKNOWN`; what opening an image throws.
 */
export async function chooseStream(
  payload: Payload,
  wanted: string | undefined,
  components: Components,
): Promise<ChosenStream> {
  const candidates = streamCandidates(payload);
  const [only] = candidates;
  const isOnly = candidates.length === 1;
  const stream = wanted ?? (isOnly ? only?.stream : undefined) ?? defaultStream(payload);
  const chosen = (candidate: StreamCandidate): ChosenStream => ({
    ...candidate,
    requireLabel: (labels) => {
      const found = streamOf(candidate, labels);
      if (found.stream === stream || (wanted === undefined && isOnly)) return found;
      throw unknown(payload, stream);
    },
  });
  const annotated = candidates.find((candidate) => candidate.isAnnotated && candidate.stream === stream);
  if (annotated !== undefined) return chosen(annotated);
  if (only !== undefined && isOnly && only.stream === stream) return chosen(only);

  const unannotated = candidates
    .filter(({ isAnnotated }) => !isAnnotated)
    .toSorted((a, b) => Number(b.stream === stream) - Number(a.stream === stream));
  for (const candidate of unannotated) {
    const { image } = await components.open(candidate.osImage);
    const found = streamOf(candidate, image.config.labels);
    if (found.stream === stream) return chosen({ ...candidate, stream });
  }
  throw unknown(payload, stream);
}

function streamOf(
  { stream, isAnnotated }: StreamCandidate,
  labels: Readonly<Record<string, string>>,
): { readonly stream: string; readonly isCertain: boolean } {
  const label = labels[STREAM_CLASS] ?? '';
  return { stream: isAnnotated || label === '' ? stream : label, isCertain: isAnnotated || label !== '' };
}

function unknown(payload: Payload, stream: string): Error {
  return streamUnknown(payload, `it has none called ${JSON.stringify(stream.slice(0, 100))}`);
}
