# shellcheck shell=sh
# Which registry brings the packages: JSR, or npm on networks without it. To be sourced, in the
# project's folder; say(), die() and $DENO come from whoever sources it.

# Asks once whether all of JSR's packages are to be had, and sets ROUTE: options for deno, to be
# split into words. $1 is a folder to work in. NSPAWN_RUNNER_ROUTE=jsr or =npm decides without asking.
choose_route() {
  case ${NSPAWN_RUNNER_ROUTE:-} in
    jsr) why="as told" ;;
    npm) why="as told" ;;
    "") ask_jsr "$1" ;;
    *)
      die "Cannot take the route \"$NSPAWN_RUNNER_ROUTE\": NSPAWN_RUNNER_ROUTE is jsr or npm"
      ;;
  esac
  # shellcheck disable=SC2034 # read by whoever sources this
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
  # A network that swallows packets answers nothing: it gets 20 seconds.
  if timeout 20 "$DENO" cache --quiet --no-config --no-lock "$1/jsr.ts" >"$1/jsr.log" 2>&1; then
    NSPAWN_RUNNER_ROUTE=jsr why="it answers"
  else
    NSPAWN_RUNNER_ROUTE=npm why="JSR does not answer"
  fi
}
