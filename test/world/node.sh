#!/usr/bin/env bash
# Runs one of the TypeScript programs of this directory: node 20 needs them bundled first.
# Usage: bash test/world/node.sh build-world.ts [argument]...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$1
shift
bundle=$(mktemp --suffix .cjs)
trap 'rm -f "$bundle"' EXIT
"$here/../../node_modules/.bin/esbuild" "$here/$program" \
  --bundle --platform=node --target=node20 --format=cjs --log-level=warning --log-override:empty-import-meta=silent \
  --outfile="$bundle" --allow-overwrite
node "$bundle" "$@"
