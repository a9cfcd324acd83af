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

Installs nspawn-runner temporarily and prints how long config, prepare, run and cleanup take,
compared with the same work by hand, in alternation. With --create it compares chroot-create with
mmdebstrap.

  --host HOST     a container that boots Debian 13 or 12 with systemd, or this machine as it is
                  (default: here)
  --rounds N      jobs to run, after two that are not counted (default: 20); with --create chroots
                  to create, after one that is not counted (default: 3)
  --storage KIND  how writes are kept apart from the chroot (default: overlay)
  --plain         machines without systemd
  --peer PATH     another driver of the same contract, one file, called in alternation
  --json          every measured time, as JSON
  -h, --help      show this
END
}

# Stdout is for the report.
say() {
  printf '%s\n' "$*" >&2
}

die() {
  printf 'bench/run.sh: %s\n' "$*" >&2
  exit 1
}

help_is_requested() {
  for word in "$@"; do
    case $word in -h | --help) return 0 ;; esac
  done
  return 1
}

open_folders() {
  CACHE=/var/cache/nspawn-runner-tests
  mkdir -p "$CACHE"
  exec 9<"$CACHE"
  flock -n 9 || die "Cannot run: tests or a benchmark are running on this machine. Wait for them"
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/nspawn-runner-bench.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  trap : INT TERM HUP # the benchmark ends in order first
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
  if help_is_requested "$@"; then
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
