#!/bin/sh
# Bundles the program: a program for each call of a job, which loads nothing else, and one with all commands.
#
# Usage: npm/bundle.sh files|folders DIR
#   files: one file for each program, and start.js. For the script, whose Deno has a code cache.
#   folders: many small files for each program, in a folder of its name, and start.js. For the executable, which has no
#     code cache: each call compiles only the files that it needs.
# Environment: DENO, and ROUTE with options for the packages.
set -eu
cd -- "$(dirname -- "$0")/.."
form=$1 folder=$2

bundle() {
  # shellcheck disable=SC2086 # a list of words
  "${DENO:-deno}" bundle ${ROUTE:-} --minify "$@"
}

case $form in
  files) bundle --outdir "$folder" src/cli/programs/*.ts ;;
  folders)
    for program in all cleanup gitlab-config prepare run; do
      bundle --code-splitting --outdir "$folder/$program" "src/cli/programs/$program.ts"
    done
    cp npm/start_executable.js "$folder/start.js"
    ;;
esac
