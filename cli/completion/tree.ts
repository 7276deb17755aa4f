import type { Command, Option } from 'commander';

/** A command as shells complete it. */
export interface CompletionNode {
  /** Words that lead to it, without the program: `['machine-config', 'os-image']`. */
  readonly words: readonly string[];
  readonly description: string;
  readonly options: readonly CompletionOption[];
  /** Values that its first argument must have; empty when any will do. */
  readonly choices: readonly string[];
  readonly children: readonly CompletionNode[];
}

export interface CompletionOption {
  /** `--output`, `-o`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** Values that it must have; empty when any will do. */
  readonly choices: readonly string[];
}

/** What can be completed, read from the commands themselves. */
export function completionTree(command: Command, words: readonly string[] = []): CompletionNode {
  return {
    words,
    description: command.description(),
    options: [...command.options.map(optionOf), HELP],
    choices: command.registeredArguments[0]?.argChoices ?? [],
    children: command.commands.map((child) => completionTree(child, [...words, child.name()])),
  };
}

/** A node and all below it. */
export function nodesOf(node: CompletionNode): readonly CompletionNode[] {
  return [node, ...node.children.flatMap(nodesOf)];
}

const HELP: CompletionOption = {
  names: ['--help', '-h'],
  description: 'print help',
  takesValue: false,
  choices: [],
};

function optionOf({ long, short, description, required, optional, argChoices }: Option): CompletionOption {
  return {
    names: [long, short].filter((name) => name != null),
    description,
    takesValue: required || optional,
    choices: argChoices ?? [],
  };
}
