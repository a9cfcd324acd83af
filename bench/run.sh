#!/bin/sh
# The benchmarks, from a checkout. See usage() below.
#
# Environment, as for install.sh: DENO, DENORT_BIN, DENO_DIR, NSPAWN_RUNNER_ROUTE.
set -eu
umask 022
unset CDPATH

usage() {
  cat <<'END'
Usage: sudo bench/run.sh [--host trixie|bookworm|here] [--rounds N] [--storage overlay|btrfs|tmpfs]
                         [--plain] [--peer PATH] [--json]
       sudo bench/run.sh --create [--host trixie|bookworm|here] [--rounds N] [--json]

Installs nspawn-runner for the time of the run and prints what config, prepare, run and cleanup
take, beside the same done by hand, in alternation. With --create the same for chroot-create,
beside mmdebstrap.

  --host HOST     a container that boots Debian 13 or 12 with systemd, or this machine as it is
                  (default: here)
  --rounds N      jobs to play, after two that do not count (default: 20); with --create chroots
                  to make, after one that does not count (default: 3)
  --storage KIND  how writes are kept off the chroot (default: overlay)
  --plain         machines without systemd
  --peer PATH     another driver of the same contract, one file, called in alternation
  --json          every single time, as JSON
  -h, --help      show this
END
}

# Stdout is the report's.
say() {
  printf '%s\n' "$*" >&2
}

die() {
  printf 'bench/run.sh: %s\n' "$*" >&2
  exit 1
}

help_wanted() {
  for word in "$@"; do
    case $word in -h | --help) return 0 ;; esac
  done
  return 1
}

open_folders() {
  CACHE=/var/cache/nspawn-runner-tests
  mkdir -p "$CACHE"
  exec 9<"$CACHE"
  flock -n 9 || die "Cannot run: tests or a benchmark run on this machine. Wait for them"
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/nspawn-runner-bench.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  trap : INT TERM HUP # what runs below ends in order, and then we do
  LOG=$WORK/log
  : >"$LOG"
  export DENO_DIR="${DENO_DIR:-$CACHE/deno_dir}"
}

install_needs() {
  # shellcheck disable=SC2034 # read by install_missing()
  DEPS=yes
  set_needs
  # shellcheck disable=SC2086 # a list of words
  install_missing "$LOG" $NEEDS btrfs
  find_deno "$CACHE" "$CACHE/deno"
  choose_route "$WORK"
  export DENO ROUTE
}

main() {
  if help_wanted "$@"; then
    usage
    exit 0
  fi
  [ "$(id -u)" -eq 0 ] || die "Cannot run: it needs root. Run it with sudo"
  cd -- "$(dirname -- "$0")/.."
  . npm/system.sh
  . npm/deno.sh
  . npm/route.sh
  reason=$(no_machines_because)
  [ -z "$reason" ] || die "Cannot run: no machine can run here: $reason"
  open_folders
  install_needs
  # shellcheck disable=SC2086 # a list of words
  "$DENO" run $ROUTE --no-prompt --allow-all bench/host.ts "$@" 9<&-
}

main "$@"
