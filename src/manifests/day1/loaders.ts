import { hostLoader } from './host.ts';
import { kmmLoader } from './kmm.ts';
import { kvcLoader } from './kvc.ts';
import type { Day1Loader, LoaderName } from './options.ts';
import { sroLoader } from './sro.ts';

/** What makes the files and units of each loader. */
export const LOADERS: Readonly<Record<LoaderName, Day1Loader>> = {
  host: hostLoader,
  kmm: kmmLoader,
  kvc: kvcLoader,
  sro: sroLoader,
};
