import { SignError } from '../errors.ts';
import { THROW_AWAY_LABEL } from '../layer/provenance.ts';
import { formatReference, type Reference } from '../oci/reference.ts';

/**
 * Refuses to publish what is signed with a key that was thrown away, and what is layered on it: the label is inherited.
 * Layouts and archives take everything, since no node can pull from them.
 *
 * @param labels Of the image, or of the base that one is to be made from.
 * @throws {SignError} `THROW_AWAY_KEY`.
 */
export function requirePublishable(labels: Readonly<Record<string, string>>, to: Reference): void {
  if (to.transport !== 'docker' || labels[THROW_AWAY_LABEL] === undefined) return;
  throw new SignError(
    'THROW_AWAY_KEY',
    `Cannot push to ${formatReference(to)}: modules of the image are signed with a key that was thrown away`,
    { hint: 'Build it again with the key that the nodes trust.' },
  );
}
