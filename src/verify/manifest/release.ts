import { SpecError } from '../../errors.ts';

/** A minor release of OpenShift, such as 4.18. */
export interface Minor {
  readonly major: number;
  readonly minor: number;
}

/**
 * Reads `4.18`, or a whole version such as `4.18.4`.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseMinor(text: string): Minor {
  const match = /^(\d{1,3})\.(\d{1,3})(?:\.\d{1,4}(?:-[0-9A-Za-z.-]{1,60})?)?$/.exec(text);
  if (match === null) {
    throw new SpecError(
      'VALUE_INVALID',
      `Cannot use OpenShift release ${JSON.stringify(text.slice(0, 100))}`,
      {
        hint: 'Write a minor release such as 4.18.',
      },
    );
  }
  return { major: Number(match[1]), minor: Number(match[2]) };
}

export function formatMinor({ major, minor }: Minor): string {
  return `${major}.${minor}`;
}

/** Says whether a release is another or a later one. */
export function isAtLeast(release: Minor, major: number, minor: number): boolean {
  return release.major > major || (release.major === major && release.minor >= minor);
}
