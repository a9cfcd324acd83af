# shellcheck shell=sh disable=SC2034
# Functions of the packages' scripts. packaging/build.sh puts them into each script, after those of npm/.

BIN=/usr/bin LIB=/usr/lib/nspawn-runner
OTHER=/usr/local/bin/nspawn-runner
RUNTIME=/run/nspawn-runner
unset NSPAWN_RUNNER_CONFIG

say() {
  printf 'nspawn-runner: %s\n' "$*"
}

# Keeps another program of that name, such as the Python original.
keep_other_program() {
  [ -e "$BIN/nspawn-runner" ] || return 0
  cp -a "$BIN/nspawn-runner" "$BIN/nspawn-runner.before"
  say "Kept the existing program as $BIN/nspawn-runner.before"
}

# Prepares the script form of the program for its first call.
compile_program() {
  if [ ! -e "$LIB/deno" ]; then
    rm -rf "$LIB/cache"
    return 0
  fi
  BUILD=$(mktemp -d) LOG=$BUILD/log
  fill_code_cache
  rm -rf "$BUILD"
}

# Creates the folder of definitions and, on a new host, a configuration.
create_configuration() {
  mkdir -p /etc/nspawn-runner
  if [ -e "$OTHER" ]; then
    say "$OTHER is another installation, and comes first in PATH. See /usr/share/doc/nspawn-runner/docs/upgrade.md"
  elif is_new_host; then
    write_configuration "$BIN/nspawn-runner"
    say "The next steps are in /usr/share/doc/nspawn-runner/docs/how-to/first-runner.md"
  fi
}

# All timers, and those that a new installation enables: gc changes nothing but leftovers, and metrics are
# read where node_exporter is. The administrator enables maintenance, which changes chroots.
TIMERS="nspawn-runner-gc.timer nspawn-runner-maintenance.timer nspawn-runner-metrics.timer"
timers_to_enable() {
  echo nspawn-runner-gc.timer
  [ ! -d "$TEXTFILES" ] || echo nspawn-runner-metrics.timer
}

# Removes what the program made below /run, unless machines use it.
remove_runtime_files() {
  if [ -n "$(running_machines)" ]; then
    say "$RUNTIME stays until the host is booted again: machines of jobs still run"
    return 0
  fi
  rm -rf --one-file-system "$RUNTIME" /run/nspawn-runner-install.lock
  rm -f /run/systemd/resolved.conf.d/nspawn-runner-*.conf
}

# Names the folders that stay: $@.
name_what_stays() {
  for folder in "$@"; do
    [ -z "$(ls -A "$folder" 2>/dev/null)" ] ||
      say "$folder stays. To remove it: rm -rf --one-file-system $folder"
  done
}
