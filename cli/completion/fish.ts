import { nodesOf, type CompletionNode } from './tree.ts';

/** A script for `kmodlayer completion fish | source`. */
export function fishCompletion(tree: CompletionNode): string {
  const lines = nodesOf(tree).flatMap((node) => [...wordLines(node), ...optionLines(node)]);
  return `# fish completion of kmodlayer; use it with: kmodlayer completion fish | source
# True when the words so far lead to the command that is given, and to none below it.
function __kmodlayer_at
    set -l words (commandline -opc)
    set -l plain
    for word in $words[2..-1]
        string match -q -- '-*' $word; or set -a plain $word
    end
    test (count $plain) -ge (count $argv); or return 1
    test (count $argv) -eq 0; and test (count $plain) -gt 0; and return 1
    for index in (seq (count $argv))
        test $plain[$index] = $argv[$index]; or return 1
    end
    return 0
end
${lines.join('\n')}
`;
}

function wordLines(node: CompletionNode): readonly string[] {
  const at = conditionOf(node);
  return [
    ...(node.children.length > 0 || node.choices.length > 0 ? [`complete -c kmodlayer -n ${at} -f`] : []),
    ...node.children.map(
      (child) =>
        `complete -c kmodlayer -n ${at} -a ${quote(child.words.at(-1) ?? '')} -d ${quote(child.description)}`,
    ),
    ...(node.choices.length === 0
      ? []
      : [`complete -c kmodlayer -n ${at} -a ${quote(node.choices.join(' '))}`]),
  ];
}

function optionLines(node: CompletionNode): readonly string[] {
  return node.options.map(({ names, description, takesValue, choices }) => {
    const flags = names.map((name) =>
      name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
    );
    const value = takesValue ? ` -r${choices.length === 0 ? '' : ` -f -a ${quote(choices.join(' '))}`}` : '';
    return `complete -c kmodlayer -n ${conditionOf(node)} ${flags.join(' ')}${value} -d ${quote(description)}`;
  });
}

function conditionOf(node: CompletionNode): string {
  return quote(['__kmodlayer_at', ...node.words].join(' '));
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
