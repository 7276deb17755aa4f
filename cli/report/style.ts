import { styleText } from 'node:util';

/** Marks up text for a terminal, or leaves it as it is. */
export interface Style {
  readonly good: (text: string) => string;
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly strong: (text: string) => string;
}

// Newer nodes look at stdout themselves, which is not where every text goes: whether to colour is the caller's choice.
const always = { validateStream: false };

/** @param isColoured Without it, every function returns its text unchanged. */
export function makeStyle(isColoured: boolean): Style {
  if (!isColoured) {
    const same = (text: string): string => text;
    return { good: same, error: same, warning: same, faint: same, strong: same };
  }
  return {
    good: (text) => styleText(['bold', 'green'], text, always),
    error: (text) => styleText(['bold', 'red'], text, always),
    warning: (text) => styleText(['bold', 'yellow'], text, always),
    faint: (text) => styleText('dim', text, always),
    strong: (text) => styleText('bold', text, always),
  };
}
