/** Keys that name a tree of source files. */
export const SOURCE_TREES = ['directory', 'git', 'archive'] as const;

/** Keys of which a driver's `source` has exactly one. */
export const SOURCES = [...SOURCE_TREES, 'srpm', 'dkms', 'module', 'rpm', 'image', 'files'] as const;

/** Sources that are modules already: nothing is built. */
export const PREBUILT_SOURCES: readonly string[] = ['rpm', 'image', 'files'];

/** Sources that say themselves how they are built: neither "run" nor "containerfile" goes with them. */
export const SELF_BUILDING_SOURCES: readonly string[] = ['dkms', 'module'];
