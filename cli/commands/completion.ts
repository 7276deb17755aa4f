import { Argument, Command } from 'commander';
import type { CompletionNode } from '../completion/tree.ts';
import type { CliContext } from '../context.ts';

type Shell = 'bash' | 'zsh' | 'fish';

/** `kmodlayer completion <shell>`: prints a script that completes commands and flags. */
export function completionCommand(context: CliContext): Command {
  return new Command('completion')
    .description('print a script that completes commands and flags in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', '\nExample:\n  source <(kmodlayer completion bash)')
    .action(async (shell: Shell, _options: object, command: Command) => {
      const { completionTree } = await import('../completion/tree.ts');
      const tree = completionTree(command.parent ?? command);

      context.stdout.write(await scriptFor(shell, tree));
    });
}

async function scriptFor(shell: Shell, tree: CompletionNode): Promise<string> {
  switch (shell) {
    case 'bash':
      return (await import('../completion/bash.ts')).bashCompletion(tree);
    case 'zsh':
      return (await import('../completion/zsh.ts')).zshCompletion(tree);
    case 'fish':
      return (await import('../completion/fish.ts')).fishCompletion(tree);
  }
}
