import type { Driver } from './driver-set.ts';

/** Says whether a driver brings firmware along: what a package has is not known before it is read. */
export function mayHaveFirmware({ firmware, source }: Pick<Driver, 'firmware' | 'source'>): boolean {
  return firmware !== undefined || source.type === 'rpm';
}
