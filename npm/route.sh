# shellcheck shell=sh
# Chooses the registry of the JavaScript packages: JSR, or npm on networks that cannot reach JSR. To be
# sourced in the project's folder; the caller defines say(), die() and $DENO.

# Sets ROUTE to options for deno, to be split into words. JSR is asked once whether it has all packages;
# NSPAWN_RUNNER_ROUTE=jsr or =npm decides without asking. $1 is a folder for temporary files.
choose_route() {
  case ${NSPAWN_RUNNER_ROUTE:-} in
    jsr | npm) why="NSPAWN_RUNNER_ROUTE is set" ;;
    "") ask_jsr "$1" ;;
    *)
      die "Cannot use NSPAWN_RUNNER_ROUTE=$NSPAWN_RUNNER_ROUTE: it must be jsr or npm"
      ;;
  esac
  # shellcheck disable=SC2034 # read by the caller
  case $NSPAWN_RUNNER_ROUTE in
    jsr) ROUTE="" && say "Packages come from JSR ($why)" ;;
    npm)
      ROUTE="--import-map=npm/import_map.json --lock=npm/deno.lock --frozen"
      say "Packages come from npm ($why)"
      ;;
  esac
  export NSPAWN_RUNNER_ROUTE
}

ask_jsr() {
  sed -n 's/.*"\(jsr:[^"]*\)".*/import "\1";/p' deno.json >"$1/jsr.ts"
  # A network that drops packets never answers, hence the time limit.
  if timeout 20 "$DENO" cache --quiet --no-config --no-lock "$1/jsr.ts" >"$1/jsr.log" 2>&1; then
    NSPAWN_RUNNER_ROUTE=jsr why="JSR answers"
  else
    NSPAWN_RUNNER_ROUTE=npm why="JSR does not answer"
  fi
}
