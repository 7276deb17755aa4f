import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';

/** An OpenShift version without architecture, for instance `4.18.4`, `4.22.0-rc.1` or `4.22.0-okd-scos.7`. */
export type OpenShiftVersion = Brand<string, 'OpenShiftVersion'>;

const VERSION = /^\d{1,4}\.\d{1,4}\.\d{1,4}(?:-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?$/;

/** Says whether a text is a full version. */
export function isOpenShiftVersion(text: string): text is OpenShiftVersion {
  return text.length <= 128 && VERSION.test(text);
}

/** @throws {SpecError} `VALUE_INVALID`. */
export function parseOpenShiftVersion(text: string): OpenShiftVersion {
  if (!isOpenShiftVersion(text)) {
    throw new SpecError(
      'VALUE_INVALID',
      `Cannot use OpenShift version ${JSON.stringify(text.slice(0, 200))}`,
      {
        hint: 'Write a full version such as 4.18.4, without an architecture.',
      },
    );
  }
  return text;
}

/** Major and minor of a version, for instance `[4, 18]`. */
export function minorOf(version: OpenShiftVersion): readonly [number, number] {
  const [major, minor] = version.split('.');
  return [Number(major), Number(minor)];
}
