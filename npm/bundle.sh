#!/bin/sh
# Bundles the program for one of its forms.
#
# Usage: npm/bundle.sh script|executable DIR
#   script: a file for each stage of a job, which loads nothing else, one for all commands, and start.js. Its Deno has
#     a code cache, and few files are faster for that.
#   executable: many small files, and entry.js. It has no code cache: each call compiles only the files that it needs.
# Environment: DENO, and ROUTE with options for the packages.
set -eu
cd -- "$(dirname -- "$0")/.."

bundle() {
  # shellcheck disable=SC2086 # a list of words
  "${DENO:-deno}" bundle ${ROUTE:-} --minify "$@"
}

case $1 in
  script) bundle --outdir "$2" src/cli/programs/*.ts ;;
  executable) bundle --code-splitting --outdir "$2" src/cli/entry.ts ;;
esac
