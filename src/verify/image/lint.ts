import type { Finding } from '../report.ts';
import { makeAddedTree } from './added-tree.ts';
import type { LintInput } from './lint-input.ts';
import { baseRules } from './rules/base-rules.ts';
import { configRules } from './rules/config-rules.ts';
import { entryRules } from './rules/entry-rules.ts';
import { indexRules } from './rules/index-rules.ts';
import { kernelRules } from './rules/kernel-rules.ts';
import { loadRules } from './rules/load-rules.ts';
import { moduleRules } from './rules/module-rules.ts';
import { pathRules } from './rules/path-rules.ts';

const SEVERITIES: readonly Finding['severity'][] = ['error', 'warning', 'note'];

/** Holds an OS image to the rules by which nodes import layers and find modules; the worst findings first. */
export function lintOsImage(input: LintInput): readonly Finding[] {
  const unread = input.tree.layers.flatMap(({ descriptor, problem }): Finding[] =>
    problem === undefined
      ? []
      : [
          {
            rule: 'unreadable-layer',
            severity: 'error',
            layer: descriptor.digest,
            message: `${problem}: no node can import it`,
            hint: 'Build and push the image again.',
          },
        ],
  );
  const cut = input.tree.layers.flatMap(({ descriptor, isCut }): Finding[] =>
    isCut
      ? [
          {
            rule: 'cut-layer',
            severity: 'error',
            layer: descriptor.digest,
            message:
              'the tar of the layer ends in the middle of a block: podman reads it, a node stops with "unexpected EOF during skip"',
            hint: 'Make the layer with another tool; umoci insert writes such ones.',
          },
        ]
      : [],
  );
  return inOrder([
    ...unread,
    ...cut,
    ...configRules(input),
    ...pathRules(input),
    ...entryRules(input),
    ...baseRules(input),
    ...kernelRules(input),
    ...moduleRules(input),
    ...indexRules(input),
    ...loadRules(input),
  ]);
}

/** As far as manifest and config tell. */
export function lintWithoutLayers(image: LintInput['image']): readonly Finding[] {
  const nothing = new Map<string, never>();
  return configRules({
    image,
    boundary: undefined,
    tree: makeAddedTree([]),
    findInBase: () => 'unknown',
    kernel: undefined,
    baseKernel: undefined,
    baseIndexes: nothing,
    indexes: nothing,
    expected: undefined,
    modules: nothing,
    unreadable: [],
  });
}

/** The worst first, otherwise in the order in which the rules gave them. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}
