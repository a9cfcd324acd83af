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

  --unit          only unit tests, format, lint, types and coverage: no root, no nspawn
  --require-real  a test that cannot run on real nspawn fails instead of being skipped
  --vm            also the tests that need a virtual machine: up to two hours without KVM
  FILTER          only tests whose names contain these words
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
        [ -z "$FILTER" ] || wrong_usage "more than one FILTER: \"$1\""
        FILTER=$1
        ;;
    esac
    shift
  done
}

# Opens two folders: a cache that stays, and one for this run, which shows what the tests leave behind.
open_folders() {
  if [ "$(id -u)" -eq 0 ]; then
    CACHE=/var/cache/nspawn-runner-tests
  else
    CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/nspawn-runner-tests
  fi
  mkdir -p "$CACHE"
  exec 9<"$CACHE"
  flock -n 9 || die "Cannot run: other tests are running on this machine. Wait for them"
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/nspawn-runner-tests.XXXXXX")
  SCRATCH=$(mktemp -d /var/tmp/nr-XXXXXX)
  chmod 755 "$SCRATCH"
  trap close_folders EXIT
  trap 'exit 1' INT TERM HUP
  LOG=$WORK/log
  MARK=NSPAWN_RUNNER_TEST_RUN=$(basename "$WORK")
  export DENO_DIR="${DENO_DIR:-$CACHE/deno_dir}"
}

close_folders() {
  rm -rf "$WORK"
  # A mount below it may hold files that are not the tests' own.
  if grep -q " $SCRATCH/" /proc/self/mountinfo; then
    say "Left $SCRATCH: something is mounted there"
  else
    rm -rf "$SCRATCH"
  fi
}

install_needs() {
  DEPS=yes
  IMAGE_TOOLS="skopeo umoci docker-registry ansible-playbook"
  PACKAGERS="lintian rpmbuild rpmlint"
  READERS="shellcheck jsonschema man mandoc zsh fish /usr/share/bash-completion/bash_completion"
  if [ "$(id -u)" -eq 0 ]; then
    set_needs
    if [ "$UNIT_ONLY" = yes ]; then
      NEEDS="git git-lfs $READERS"
    else
      NEEDS="$NEEDS git-lfs btrfs slirp4netns python3 pip3 zstd $IMAGE_TOOLS $PACKAGERS $READERS"
    fi
    OPTIONAL="$OPTIONAL git-lfs $IMAGE_TOOLS $PACKAGERS $READERS"
    # shellcheck disable=SC2086 # a list of words
    install_missing "$LOG" $NEEDS
  fi
  find_deno "$CACHE" "$CACHE/deno"
  PATH=$(dirname "$DENO"):$PATH
  choose_route "$WORK"
  export DENO PATH ROUTE
}

# Runs the tests below the folders $@ for TIME_LIMIT seconds at most, with further options of "deno test" in OPTIONS, and
# counts them.
run_tests() {
  say ""
  say "Running $*"
  # shellcheck disable=SC2086 # lists of words
  {
    set +e
    env "$MARK" TMPDIR="$SCRATCH" NSPAWN_RUNNER_REQUIRE_REAL="$REQUIRE_REAL" \
      timeout --foreground -k 60 "$TIME_LIMIT" "$DENO" test $ROUTE --no-prompt $GRANTS $OPTIONS \
      ${FILTER:+"--filter=$FILTER"} "$@" </dev/null 2>&1 9<&-
    echo $? >"$WORK/code"
  } | tee "$WORK/output"
  count_tests
}

# Deno's summary counts a test that printed "SKIPPED name: reason" as passed.
count_tests() {
  code=$(cat "$WORK/code")
  summary=$(grep -E '^(ok|FAILED) \| [0-9]+ passed' "$WORK/output" | tail -n 1)
  skipped=$(grep '^SKIPPED .*: ' "$WORK/output" | sort -u | wc -l)
  PASSED=$((PASSED + $(number_before passed) - skipped))
  failed=$(number_before failed)
  SKIPPED=$((SKIPPED + skipped + $(number_before ignored)))
  if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
    say "deno test ended with code $code and no failed test"
    failed=1
  elif [ -z "$summary" ]; then
    say "deno test ended without a summary"
    failed=1
  fi
  FAILED=$((FAILED + failed))
}

# Prints the number before a word in the summary, 0 if there is none.
number_before() {
  number=$(printf '%s\n' "$summary" | sed -n "s/.*| \([0-9]*\) $1.*/\1/p")
  echo "${number:-0}"
}

# Sets NO_HOSTS to the reason why tests on real nspawn cannot run here. Fails if the run cannot succeed then.
check_hosts() {
  NO_HOSTS=""
  [ "$UNIT_ONLY" = yes ] || NO_HOSTS=$(sh tests/hosts/check.sh)
  [ -n "$NO_HOSTS" ] || return 0
  say "No tests on real nspawn: $NO_HOSTS"
  [ "$REQUIRE_REAL" = 0 ]
}

run_all() {
  list_ours "$MARK" >"$WORK/before"
  CHECKOUT=$(checkout_changes)
  run_tests_of_each_kind
  check_leftovers
}

run_tests_of_each_kind() {
  run_unit_tests
  [ "$UNIT_ONLY" = no ] || return 0
  GRANTS=--allow-all
  if [ -n "$NO_HOSTS" ]; then
    # Each file counts as one test.
    files=$(find tests/integration tests/conformance tests/escape tests/installation -name '*_test.ts' | wc -l)
    SKIPPED=$((SKIPPED + files))
  else
    # At once: each waits for its machines most of the time.
    OPTIONS=--parallel
    run_tests tests/real/systemd.ts tests/real/standalone.ts
    OPTIONS=""
  fi
  [ "$VM" = no ] || run_vm_tests
}

# The gate reads the coverage of the unit tests, which only a run of all of them has.
run_unit_tests() {
  GRANTS="--allow-read --allow-write --allow-env --allow-run --allow-sys"
  if [ -z "$FILTER" ]; then
    OPTIONS="--coverage=$WORK/coverage --coverage-raw-data-only"
    export NSPAWN_RUNNER_COVERAGE="$WORK/coverage"
  fi
  run_tests tests/unit
  OPTIONS=""
  run_tests tests/gate_test.ts
  unset NSPAWN_RUNNER_COVERAGE
}

# They skip themselves where something is missing, also with --require-real.
run_vm_tests() {
  [ "$(id -u)" -ne 0 ] || install_emulator
  TIME_LIMIT=14400 # emulation is slow
  run_tests tests/real/vm.ts
}

install_emulator() {
  if have qemu-system-x86_64 && have mke2fs && have ssh && have ssh-keygen; then return 0; fi
  case $(package_manager) in
    apt) names="qemu-system-x86 e2fsprogs openssh-client" ;;
    dnf) names="qemu-system-x86-core e2fsprogs openssh-clients" ;;
    pacman) names="qemu-system-x86 e2fsprogs openssh" ;;
    *) return 0 ;;
  esac
  say "System packages: installing $names"
  load_package_lists >>"$LOG" 2>&1 || :
  # shellcheck disable=SC2086 # a list of words
  install_packages $names >>"$LOG" 2>&1 || say "Cannot install $names: $(last_error "$LOG")"
}

# Counts a failure if the tests left anything on this machine. What is still ending gets a minute.
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
  . npm/configuration.sh
  . npm/deno.sh
  . npm/route.sh
  . tests/leftovers.sh
  open_folders
  install_needs
  OPTIONS="" TIME_LIMIT=4800 PASSED=0 FAILED=0 SKIPPED=0
  if check_hosts; then run_all; else FAILED=1; fi
  if [ -n "$FILTER" ] && [ $((PASSED + FAILED + SKIPPED)) -eq 0 ]; then
    say "No test's name contains \"$FILTER\""
    FAILED=1
  fi
  say ""
  say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  [ "$FAILED" -eq 0 ]
}

main "$@"
