#!/bin/sh
# Bundles the program for one of its forms.
#
# Usage: npm/bundle.sh script|executable DIR
#   script: start.js, all.js with all commands, and a program for each stage of a job: two files with what each call
#     needs, and its rare part. Its Deno has a code cache, and few files are faster for that.
#   executable: many small files, and entry.js. It has no code cache: each call compiles only the files that it needs.
# Environment: DENO, and ROUTE with options for the packages.
set -eu
cd -- "$(dirname -- "$0")/.."

bundle() {
  # shellcheck disable=SC2086 # a list of words
  "${DENO:-deno}" bundle ${ROUTE:-} --minify "$@"
}

# Bundles JavaScript from inside of its folder, since the names of the files depend on the paths that are given.
bundle_again() {
  (cd "$1" && shift && ROUTE=--no-config bundle --code-splitting "$@")
}

# Bundles the program $1 of a stage into the folder $2. The modules $3 and so on are those that each call imports by
# import().
bundle_stage() {
  program=$1 folder=$(realpath -m "$2")
  shift 2
  bundle --code-splitting --outdir "$WORK/$program" "src/cli/programs/$program.ts"
  "${DENO:-deno}" run --quiet --no-config --allow-read="$WORK,npm" --allow-write="$WORK" npm/split_program.ts \
    "$WORK/$program" "$program" "$@"
  rare=$(cd "$WORK/$program" && echo "$program"-rare-*.js)
  bundle_again "$WORK/$program" --outdir "$folder" "$program.js" "$rare"
}

case $1 in
  script)
    WORK=$(mktemp -d)
    trap 'rm -r "$WORK"' EXIT
    bundle --outdir "$2" src/cli/programs/start.ts src/cli/programs/all.ts
    bundle_stage gitlab-config "$2" gitlab_config load toml
    bundle_stage prepare "$2" prepare load toml start_unit
    # Also what follows a script that failed: an upgrade may have removed the rest meanwhile.
    bundle_stage run "$2" run job enter summary explain explain_services failures
    bundle_stage cleanup "$2" cleanup job end_of_job draft_record summary usage
    ;;
  executable) bundle --code-splitting --outdir "$2" src/cli/entry.ts ;;
esac
