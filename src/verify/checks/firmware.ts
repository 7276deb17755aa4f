import type { Check } from '../report.ts';
import { allOf, type Subject } from '../subject.ts';
import { resultsOf } from './check.ts';

/** Says whether a file below the directories of firmware is there; undefined when that is not known. */
export type HasFirmware = (path: string) => boolean | undefined;

/** Is the firmware there that the module names? It asks for some of it when it finds hardware that needs it. */
export function checkFirmware(subject: Subject, hasFirmware: HasFirmware | undefined): Check | undefined {
  const { pass, warn, skip } = resultsOf('firmware');
  const names = [...new Set(allOf(subject, 'firmware'))];
  if (names.length === 0) return undefined;
  const files = `${names.length} file${names.length === 1 ? '' : 's'} of firmware`;
  const missing = names.filter((name) => hasFirmware?.(name) === false);
  if (missing.length > 0) {
    return warn(`it names ${files}, and ${missing.length} of them are not there`, {
      details: missing.map((subject) => ({ subject, message: 'neither the base nor the layer has it' })),
      hint: 'Add the firmware that your hardware needs to the driver.',
    });
  }
  if (names.some((name) => hasFirmware?.(name) === undefined)) {
    return skip(`it names ${files}; whether they are there was not looked up`);
  }
  return pass(`the ${files} that it names are there`);
}
