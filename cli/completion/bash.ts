import { nodesOf, type CompletionNode } from './tree.ts';

/** A script for `source <(kmodlayer completion bash)`. */
export function bashCompletion(tree: CompletionNode): string {
  const nodes = nodesOf(tree);
  const path = (node: CompletionNode): string => quote(node.words.join(' '));
  const values = nodes.flatMap((node) =>
    node.options
      .filter((option) => option.takesValue)
      .flatMap((option) =>
        option.names.map((name) =>
          option.choices.length === 0
            ? `    ${quote(`${node.words.join(' ')}|${name}`)}) COMPREPLY=(); compopt -o default 2>/dev/null; return ;;`
            : `    ${quote(`${node.words.join(' ')}|${name}`)}) COMPREPLY=($(compgen -W ${quote(option.choices.join(' '))} -- "$current")); return ;;`,
        ),
      ),
  );
  return `# bash completion of kmodlayer; use it with: source <(kmodlayer completion bash)
_kmodlayer() {
  local current previous command word index
  current=\${COMP_WORDS[COMP_CWORD]}
  previous=\${COMP_WORDS[COMP_CWORD-1]}
  command=
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${command:+$command }\${COMP_WORDS[index]}
    case $word in
      ${nodes
        .filter((node) => node.words.length > 0)
        .map(path)
        .join('|')}) command=$word ;;
    esac
  done
  case "$command|$previous" in
${values.join('\n')}
  esac
  if [[ $current == -* ]]; then
    case $command in
${nodes.map((node) => `      ${path(node)}) COMPREPLY=($(compgen -W ${quote(node.options.flatMap(({ names }) => names).join(' '))} -- "$current")) ;;`).join('\n')}
    esac
    return
  fi
  case $command in
${nodes
  .filter((node) => node.children.length > 0 || node.choices.length > 0)
  .map((node) => {
    const words = [...node.children.map((child) => child.words.at(-1) ?? ''), ...node.choices];
    return `    ${path(node)}) COMPREPLY=($(compgen -W ${quote(words.join(' '))} -- "$current")) ;;`;
  })
  .join('\n')}
    *) COMPREPLY=(); compopt -o default 2>/dev/null ;;
  esac
}
complete -F _kmodlayer kmodlayer
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
