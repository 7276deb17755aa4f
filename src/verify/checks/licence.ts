import { firstOf, type Subject } from '../subject.ts';

/**
 * Licences that the kernel takes for compatible with the GPL, letter by letter.
 *
 * @see linux `include/linux/license.h`
 */
const GPL_COMPATIBLE: readonly string[] = [
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
];

/** Modules that the kernel takes for proprietary whatever they say. */
const DISTRUSTED: readonly string[] = ['driverloader', 'lve'];

/** Says whether the kernel gives a module only what is exported to all. */
export function isProprietary(subject: Pick<Subject, 'modinfo' | 'name'>): boolean {
  return DISTRUSTED.includes(subject.name) || !GPL_COMPATIBLE.includes(licenceOf(subject));
}

/** The licence that the kernel reads. */
export function licenceOf(subject: Pick<Subject, 'modinfo'>): string {
  return firstOf(subject, 'license') ?? 'unspecified';
}
