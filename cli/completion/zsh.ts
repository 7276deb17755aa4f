import { nodesOf, type CompletionNode, type CompletionOption } from './tree.ts';

/** A script for a file `_kmodlayer` in a directory of `$fpath`, or for `source <(kmodlayer completion zsh)`. */
export function zshCompletion(tree: CompletionNode): string {
  return `#compdef kmodlayer
# zsh completion of kmodlayer; use it with: source <(kmodlayer completion zsh)
${nodesOf(tree).map(functionOf).join('\n')}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _kmodlayer "$@"
else
  compdef _kmodlayer kmodlayer
fi
`;
}

function functionOf(node: CompletionNode): string {
  const options = node.options.map((option) => `    ${optionSpec(option)} \\`).join('\n');
  if (node.children.length === 0) {
    const argument =
      node.choices.length === 0 ? `'*:file:_files'` : quote(`1:argument:(${node.choices.join(' ')})`);
    return `${nameOf(node)}() {\n  _arguments -s -S \\\n${options}\n    ${argument}\n}\n`;
  }
  const children = node.children
    .map((child) => `    ${quote(`${lastWord(child)}:${child.description.replaceAll(':', '\\:')}`)}`)
    .join('\n');
  const cases = node.children.map((child) => `    ${lastWord(child)}) ${nameOf(child)} ;;`).join('\n');
  return `${nameOf(node)}() {
  local curcontext="$curcontext" state line
  local -a verbs
  _arguments -C -S \\
${options}
    '1: :->verb' \\
    '*:: :->rest'
  case $state in
  verb)
    verbs=(
${children}
    )
    _describe verb verbs
    ;;
  rest)
    case $line[1] in
${cases}
    esac
    ;;
  esac
}
`;
}

/** `'(--output -o)'{--output,-o}'[format]:value:(json yaml)'` */
function optionSpec({ names, description, takesValue, choices }: CompletionOption): string {
  const text = `[${description.replaceAll(/[[\]\\:]/g, '\\$&')}]`;
  const value = takesValue ? `:value:${choices.length === 0 ? '_files' : `(${choices.join(' ')})`}` : '';
  return `'*'${names.length > 1 ? `{${names.join(',')}}` : (names[0] ?? '')}${quote(`${text}${value}`)}`;
}

function nameOf(node: CompletionNode): string {
  return ['_kmodlayer', ...node.words.map((word) => word.replaceAll('-', '_'))].join('_');
}

function lastWord(node: CompletionNode): string {
  return node.words.at(-1) ?? '';
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
