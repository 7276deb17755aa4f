import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';

/** The name of a kernel module as the kernel spells it: with `_`, never `-`. */
export type ModuleName = Brand<string, 'ModuleName'>;

const MODULE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,55}$/;

/**
 * Reads a module name; `-` becomes `_`, as in the kernel.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseModuleName(text: string): ModuleName {
  if (!MODULE_NAME.test(text)) {
    throw new SpecError('VALUE_INVALID', `Cannot use module name ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'Write the name that lsmod shows, for instance "ice": letters, digits and "_", at most 56.',
    });
  }
  return text.replaceAll('-', '_') as ModuleName;
}

/**
 * The module name that a file name stands for: up to the first dot, with `_` for `-`.
 *
 * @param path A path or file name such as `extra/ice/ice.ko.xz`.
 */
export function moduleNameOfPath(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  const dot = base.indexOf('.');
  return (dot < 0 ? base : base.slice(0, dot)).replaceAll('-', '_');
}
