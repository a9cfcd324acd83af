#!/bin/sh
# Runs the tests. See usage() below.
#
# Environment, as for install.sh: DENO, DENO_DIR, NSPAWN_RUNNER_ROUTE.
set -eu
umask 022
unset CDPATH

usage() {
  cat <<'END'
Usage: sudo ./tests/run.sh [--unit] [--require-real] [--vm] [FILTER]

Installs what the tests need, runs them, and ends with: N passed, N failed, N skipped

  --unit          unit tests alone: no root, no nspawn
  --require-real  a test that cannot run on real nspawn fails instead of being skipped
  --vm            the tests that need a virtual machine, too
  FILTER          only tests whose names have these words
  -h, --help      show this
END
}

say() {
  printf '%s\n' "$*"
}

die() {
  printf 'tests/run.sh: %s\n' "$*" >&2
  exit 1
}

wrong_usage() {
  printf 'tests/run.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

read_arguments() {
  UNIT_ONLY=no REQUIRE_REAL=0 VM=no FILTER=""
  while [ $# -gt 0 ]; do
    case $1 in
      --unit) UNIT_ONLY=yes ;;
      --require-real) REQUIRE_REAL=1 ;;
      --vm) VM=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      -*) wrong_usage "unknown option \"$1\"" ;;
      *)
        [ -z "$FILTER" ] || wrong_usage "one FILTER at most: \"$1\" is too much"
        FILTER=$1
        ;;
    esac
    shift
  done
}

# Folders: one that lasts, and one for this run, where whatever a test leaves behind shows.
open_folders() {
  if [ "$(id -u)" -eq 0 ]; then
    CACHE=/var/cache/nspawn-runner-tests
  else
    CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/nspawn-runner-tests
  fi
  mkdir -p "$CACHE"
  exec 9<"$CACHE"
  flock -n 9 || die "Cannot run: other tests run on this machine. Wait for them"
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/nspawn-runner-tests.XXXXXX")
  SCRATCH=$(mktemp -d /var/tmp/nr-XXXXXX) # short: an installer's prefix must fit a #! line
  chmod 755 "$SCRATCH"
  trap close_folders EXIT
  trap 'exit 1' INT TERM HUP
  LOG=$WORK/log
  MARK=NSPAWN_RUNNER_TEST_RUN=$(basename "$WORK")
  export DENO_DIR="${DENO_DIR:-$CACHE/deno_dir}"
}

close_folders() {
  rm -rf "$WORK"
  # What is mounted there may be anybody's files.
  if grep -q " $SCRATCH/" /proc/self/mountinfo; then
    say "Left $SCRATCH: something is mounted there"
  else
    rm -rf "$SCRATCH"
  fi
}

bring_needs() {
  DEPS=yes
  IMAGES="skopeo umoci docker-registry ansible-playbook"
  if [ "$(id -u)" -eq 0 ]; then
    runner_needs
    if [ "$UNIT_ONLY" = yes ]; then NEEDS=git; else NEEDS="$NEEDS btrfs slirp4netns python3 pip3 zstd $IMAGES shellcheck"; fi
    OPTIONAL="$OPTIONAL $IMAGES shellcheck"
    # shellcheck disable=SC2086 # a list of words
    bring "$LOG" $NEEDS
  fi
  find_deno "$CACHE" "$CACHE/deno"
  PATH=$(dirname "$DENO"):$PATH
  choose_route "$WORK"
  export DENO PATH ROUTE
}

# Runs the tests below the folders $@ and adds to the counts.
run_tests() {
  say ""
  say "Running $*"
  # shellcheck disable=SC2086 # a list of words
  {
    set +e
    env "$MARK" TMPDIR="$SCRATCH" NSPAWN_RUNNER_REQUIRE_REAL="$REQUIRE_REAL" \
      timeout --foreground -k 60 4800 "$DENO" test $ROUTE --no-prompt $GRANTS \
      ${FILTER:+"--filter=$FILTER"} "$@" </dev/null 2>&1 9<&-
    echo $? >"$WORK/code"
  } | tee "$WORK/output"
  count_tests
}

# Deno's summary counts tests. One that prints "SKIPPED name: reason" has passed only for Deno.
count_tests() {
  code=$(cat "$WORK/code")
  summary=$(grep -E '^(ok|FAILED) \| [0-9]+ passed' "$WORK/output" | tail -n 1)
  said=$(grep '^SKIPPED .*: ' "$WORK/output" | sort -u | wc -l)
  PASSED=$((PASSED + $(number_before passed) - said))
  failed=$(number_before failed)
  SKIPPED=$((SKIPPED + said + $(number_before ignored)))
  if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
    say "deno test ended with code $code and no failed test"
    failed=1
  elif [ -z "$summary" ]; then
    say "deno test ended without a summary"
    failed=1
  fi
  FAILED=$((FAILED + failed))
}

# The number that stands before a word in the summary, 0 where there is none.
number_before() {
  number=$(printf '%s\n' "$summary" | sed -n "s/.*| \([0-9]*\) $1.*/\1/p")
  echo "${number:-0}"
}

# Tests that need what this machine lacks: each file counts as one.
cannot_run() {
  reason=$1
  shift
  for file in $(find "$@" -name '*_test.ts' 2>/dev/null | sort); do
    if [ "$REQUIRE_REAL" = 1 ]; then
      say "FAILED $file: $reason"
      FAILED=$((FAILED + 1))
    else
      say "SKIPPED $file: $reason"
      SKIPPED=$((SKIPPED + 1))
    fi
  done
}

run_all() {
  PASSED=0 FAILED=0 SKIPPED=0
  GRANTS="--allow-read --allow-write --allow-env --allow-run --allow-sys"
  run_tests tests/unit
  [ "$UNIT_ONLY" = no ] || return 0
  GRANTS=--allow-all
  reason=$(no_machines_because)
  if [ -n "$reason" ]; then
    say "No machine can run here: $reason"
    cannot_run "$reason" tests/integration tests/conformance tests/escape
  else
    run_tests tests/real.ts
  fi
  [ "$VM" = no ] || run_vm_tests
}

# They say themselves what is missing, and are skipped then: outside of what --require-real covers.
run_vm_tests() {
  [ "$(id -u)" -ne 0 ] || bring_emulator
  run_tests tests/vm
}

bring_emulator() {
  if have qemu-system-x86_64 && have mke2fs && have ssh && have ssh-keygen; then return 0; fi
  case $(package_manager) in
    apt) names="qemu-system-x86 e2fsprogs openssh-client" ;;
    dnf) names="qemu-system-x86-core e2fsprogs openssh-clients" ;;
    pacman) names="qemu-system-x86 e2fsprogs openssh" ;;
    *) return 0 ;;
  esac
  say "System packages: installing $names"
  package_lists >>"$LOG" 2>&1 || :
  # shellcheck disable=SC2086 # a list of words
  packages $names >>"$LOG" 2>&1 || say "Cannot install $names: $(last_words "$LOG")"
}

# A last check: all that is new on this machine is a failure. What is just ending gets a minute.
check_leftovers() {
  for _ in $(seq 60); do
    list_ours "$MARK" >"$WORK/after"
    comm -13 "$WORK/before" "$WORK/after" >"$WORK/left"
    find "$SCRATCH" -mindepth 1 -maxdepth 1 -printf 'file %p\n' >>"$WORK/left"
    [ -s "$WORK/left" ] || break
    sleep 1
  done
  [ -n "$CHECKOUT" ] || checkout_changes | sed 's/^/in the checkout: /' >>"$WORK/left"
  [ -s "$WORK/left" ] || return 0
  say "Left behind by the tests:"
  sed 's/^/  /' "$WORK/left"
  FAILED=$((FAILED + 1))
}

checkout_changes() {
  git -c safe.directory='*' status --porcelain 2>/dev/null || :
}

main() {
  read_arguments "$@"
  cd -- "$(dirname -- "$0")/.."
  . npm/system.sh
  . npm/deno.sh
  . npm/route.sh
  . tests/leftovers.sh
  open_folders
  bring_needs
  list_ours "$MARK" >"$WORK/before"
  CHECKOUT=$(checkout_changes)
  run_all
  check_leftovers
  if [ -n "$FILTER" ] && [ $((PASSED + FAILED + SKIPPED)) -eq 0 ]; then
    say "No test is called \"$FILTER\""
    FAILED=1
  fi
  say ""
  say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  [ "$FAILED" -eq 0 ]
}

main "$@"
