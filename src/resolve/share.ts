/** Does work once for all who ask for the same thing while it is on its way. What is done is for caches to keep. */
export type Share = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/** Makes a `Share` of its own: with it, releases that are resolved side by side read an image that they share once. */
export function makeShare(): Share {
  const running = new Map<string, Promise<unknown>>();
  return async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const known = running.get(what);
    // The same words always stand for the same work.
    if (known !== undefined) return known as Promise<T>;
    const started = work().finally(() => running.delete(what));
    running.set(what, started);
    return started;
  };
}
