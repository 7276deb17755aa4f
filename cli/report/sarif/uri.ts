/**
 * A path, or the name of an image, as a relative URI reference; absolute paths lose their first slash, since they are
 * paths in an image or are shown below the root of a repository.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-4.2
 */
export function artifactUri(path: string): string {
  const [first = '', ...others] = path
    .replaceAll(/\p{Surrogate}/gu, '\u{fffd}')
    .replace(/^(?:\.?\/)+/, '')
    .split('/');
  // A colon in the first segment would make it a scheme, as in oci:DIR.
  const uri = [encodeURIComponent(first).replaceAll('%40', '@'), ...others.map(encodeSegment)].join('/');
  return uri === '' ? '.' : uri;
}

function encodeSegment(segment: string): string {
  return encodeURIComponent(segment)
    .replaceAll('%40', '@')
    .replaceAll('%3A', ':')
    .replaceAll('%2B', '+')
    .replaceAll('%3D', '=');
}
