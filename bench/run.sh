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
                         [--disk] [--only WORDS] [--peer PATH|PREFIX|docker] [--json]
       sudo bench/run.sh --crowd | --alive [the same options]
       sudo bench/run.sh --create | --images | --services [--host trixie|bookworm|here] [--rounds N] [--json]

Installs nspawn-runner temporarily, as a script and, where a denort can be had, as an executable.
Prints how long the calls of a job take and how much CPU time, in booted and plain machines,
compared with the same work by hand, in alternation.

  --crowd         24 jobs, 4 at once: time and CPU time per job
  --alive         prepare beside 1, 8 and 64 machines
  --create        chroot-create compared with mmdebstrap
  --images        jobs on a pulled image compared with jobs on a chroot; without --host it needs
                  docker-registry, skopeo and umoci here
  --services      jobs with a service, from an image on the host, compared with jobs without; it
                  needs the same as --images
  --host HOST     a container that boots Debian 13 or 12 with systemd, or this machine as it is
                  (default: here)
  --rounds N      jobs of each kind, after two that are not counted (default: 20); crowds
                  (default: 3); prepares beside each number of machines, jobs on images or with a
                  service (default: 10); chroots to create, after one that is not counted (default: 3)
  --storage KIND  how writes are kept apart from the chroot (default: overlay)
  --disk          each machine has a disk of its own (disk_max)
  --only WORDS    only drivers whose names contain these words, such as "script plain"
  --peer PATH     another driver of the same contract, one file, with its own configuration
  --peer PREFIX   another nspawn-runner that install.sh installed there, with the same configuration
  --peer docker   the containers of GitLab Runner's docker executor, by docker(1); in a container
                  of --host Docker is installed, elsewhere an engine must answer
  --json          every measured cost, as JSON
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
  case "$*" in *trixie* | *bookworm*) NEEDS="$NEEDS mmdebstrap slirp4netns" ;; esac
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
  . npm/configuration.sh
  . npm/deno.sh
  . npm/route.sh
  reason=$(no_machines_because)
  [ -z "$reason" ] || die "Cannot run: no machine can run here: $reason"
  open_folders
  install_needs "$@"
  # shellcheck disable=SC2086 # a list of words
  "$DENO" run $ROUTE --no-prompt --allow-all bench/host.ts "$@" 9<&-
}

main "$@"
