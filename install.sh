#!/bin/sh
# Builds nspawn-runner and installs it. See usage() below. Running it again updates the installation.
#
# Environment: DENO is the Deno to use, DENORT_BIN a denort of the same version, NSPAWN_RUNNER_ROUTE
# (jsr or npm) the registry of the packages, DENO_DIR a folder that keeps downloads, and
# NSPAWN_RUNNER_CONFIG the program's configuration. For those who make packages, DESTDIR is a folder below
# which all files are put; nothing else on the host changes then, and root is not needed.
set -eu
umask 022
unset CDPATH
here=$(cd -- "$(dirname -- "$0")" && pwd -P)

usage() {
  cat <<'END'
Usage: sudo ./install.sh [--prefix DIR] [--no-deps] [--timers] [--try]
       sudo ./install.sh --uninstall [--prefix DIR]

Builds nspawn-runner and installs it as DIR/bin/nspawn-runner.

  --prefix DIR  where to install (default: /usr/local)
  --no-deps     do not install packages of the distribution
  --timers      also run "nspawn-runner gc" every hour and "nspawn-runner chroot-maintenance" every
                night, by systemd timers; on a host with node_exporter, write metrics every minute
  --try         then create a chroot, unless it exists, and run a sample job in it
  --uninstall   remove what this script installed; chroots and configuration stay
  -h, --help    show this
END
}

say() {
  printf '%s\n' "$*"
}

die() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

wrong_usage() {
  printf 'install.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

# Reads the command line into PREFIX, DEPS, TIMERS and MODE.
read_arguments() {
  PREFIX=/usr/local DEPS=yes TIMERS=no MODE=install
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix)
        [ $# -gt 1 ] || wrong_usage "--prefix needs a folder"
        PREFIX=$2
        shift
        ;;
      --prefix=*) PREFIX=${1#--prefix=} ;;
      --no-deps) DEPS=no ;;
      --timers) TIMERS=yes ;;
      --try) MODE=try ;;
      --uninstall) MODE=uninstall ;;
      -h | --help) usage && exit 0 ;;
      *) wrong_usage "unknown option \"$1\"" ;;
    esac
    shift
  done
  [ -n "$PREFIX" ] || wrong_usage "--prefix needs a folder"
  PREFIX=$(realpath -m -- "$PREFIX")
  ROOT=${DESTDIR:-}
  [ -z "$ROOT" ] || DEPS=no
  [ -z "$ROOT" ] || [ $MODE = install ] || die "Cannot $MODE: DESTDIR is set. Unset it"
  # The prefix becomes part of a command line without quotes.
  case $ROOT$PREFIX in
    *[!A-Za-z0-9._/+@-]*)
      die "Cannot install into \"$ROOT$PREFIX\": the path may contain only letters, digits and ._/+@-. Choose another --prefix"
      ;;
  esac
  BIN=$ROOT$PREFIX/bin LIB=$ROOT$PREFIX/lib/nspawn-runner
  MANIFEST=$LIB/manifest
  # What reads .gitlab-ci.yml: data of the program, which loads it for pipelines alone.
  READER=$LIB/gitlab-ci-local.txt PROGRAM=$LIB/program
  UNITS=/etc/systemd/system
  [ -z "$ROOT" ] || UNITS=$ROOT$PREFIX/lib/systemd/system
  [ "$TIMERS" = no ] || [ -n "$ROOT" ] || [ -d /run/systemd/system ] ||
    die "Cannot install timers: systemd is not PID 1 here. Leave out --timers, and run \`nspawn-runner gc\` every hour by other means"
}

# Only root can open this file; any user could lock a folder or file that they may read, and so block
# updates. One lock for all prefixes, since units and packages are the host's.
LOCK=/run/nspawn-runner-install.lock

# Installs while holding the lock. The lock's descriptor is closed for everything that the installation
# starts: a daemon of a package that was just installed would hold the lock as long as it runs.
install_alone() {
  (umask 077 && : >>"$LOCK") 2>/dev/null ||
    die "Cannot install: cannot open $LOCK. Check that /run is writable"
  exec 9>>"$LOCK"
  flock -n 9 || die "Cannot install: another installation is running. Wait for it"
  install_program 9>&-
}

# Prints the folders that the installation needs and that do not exist, each after those that it is in.
missing_folders() {
  for file in $BIN/program $LIB/manifest $(shared_files); do
    folder=$(dirname "$file")
    until [ -d "$folder" ]; do
      echo "$folder"
      folder=$(dirname "$folder")
    done
  done | sort -u
}

# Prints where the files of share/ are installed, such as man pages.
shared_files() {
  find share -type f | sort | while read -r file; do place_of "$file"; done
}

# Prints where the file $1 of share/ is installed. In /usr/local, fish looks for its files only where
# XDG_DATA_DIRS says so.
place_of() {
  case $PREFIX/$1 in
    /usr/local/share/fish/vendor_completions.d/*) echo "$ROOT/etc/fish/completions/${1##*/}" ;;
    *) echo "$ROOT$PREFIX/$1" ;;
  esac
}

# Creates the folders of the installation and a build folder; all of them go again if it fails.
open_prefix() {
  CREATED="" DEFINITIONS="" WRITTEN="" SHARED=""
  for folder in $(missing_folders); do
    mkdir "$folder" 2>/dev/null ||
      die "Cannot install into $PREFIX: cannot create $folder. Choose another --prefix"
    CREATED="$folder $CREATED"
  done
  trap close_prefix EXIT
  trap 'exit 1' INT TERM HUP
  rm -rf "$LIB"/.build.*
  # Not in /tmp, which may be mounted noexec: the result must start before it is installed.
  BUILD=$(mktemp -d "$LIB/.build.XXXXXX")
  CANDIDATE=$BIN/.nspawn-runner.new
  LOG=$BUILD/log
  DENO_DIR=${DENO_DIR:-$BUILD/deno_dir}
  export DENO_DIR
  : >"$LOG"
}

# Removes the build folder and, if the installation failed, everything else that it created.
close_prefix() {
  rm -rf "$BUILD" "$CANDIDATE" "$LIB/.deno.new" "$READER.new" "$PROGRAM"/*.new
  # shellcheck disable=SC2086 # files have no blanks
  [ -e "$MANIFEST" ] || rm -rf "$LIB/deno" "$LIB/cache" "$READER" "$PROGRAM" $SHARED
  if [ ! -e "$BIN/nspawn-runner" ]; then
    [ -z "$WRITTEN" ] || rm -f "$WRITTEN" "$WRITTEN.new"
    [ -z "$DEFINITIONS" ] || rmdir "$DEFINITIONS" 2>/dev/null || :
  fi
  # shellcheck disable=SC2086 # folders have no blanks
  [ -z "$CREATED" ] || rmdir $CREATED 2>/dev/null || :
}

# Builds the program for both forms.
build_program() {
  say "Building nspawn-runner $VERSION"
  bundle executable "$BUILD/program"
  bundle script "$BUILD/script"
  write_reader || say "npm does not answer: \`nspawn-runner pipeline\` cannot read pipelines"
}

# Writes the program that reads pipelines; only a person's calls need it.
write_reader() {
  # shellcheck disable=SC2086 # a list of words
  "$DENO" run --quiet $ROUTE --no-prompt --allow-write="$BUILD" npm/write_gitlab_ci_local.ts \
    "$BUILD/program/${READER##*/}" >>"$LOG" 2>&1 </dev/null
}

# Bundles the program for the form $1 into the folder $2.
bundle() {
  DENO=$DENO ROUTE=$ROUTE TMPDIR=$BUILD npm/bundle.sh "$@" >>"$LOG" 2>&1 </dev/null ||
    die "Cannot build: $(last_error "$LOG"). Check that this network reaches npm or JSR"
}

# Deno's permissions for the program: everything except opening network connections.
GRANTS="--no-prompt --allow-read --allow-write --allow-env --allow-run --allow-sys"

# V8's own threads are for programs that run for seconds: a call of a job only waits for them. Its functions run a
# few times: --max-lazy compiles each when it is called, --no-sparkplug no second time. Most calls need less than
# 4 MB, and collect no garbage.
V8=--v8-flags=--single-threaded,--max-lazy,--no-sparkplug,--min-semi-space-size=4

# Builds an executable from denort and the program. Deno accepts a denort of another version, whose
# executable does not work; hence the trial.
compile() {
  reader=$BUILD/program/${READER##*/}
  if [ -e "$reader" ]; then set -- --include "$reader"; else set --; fi
  # shellcheck disable=SC2086 # a list of words
  timeout 300 "$DENO" compile --no-config --no-code-cache $V8 $GRANTS "$@" \
    -o "$BUILD/nspawn-runner" "$BUILD/program/entry.js" >>"$LOG" 2>&1 </dev/null || return 1
  # With a code cache it would read a file in /tmp, which any user can create.
  grep -aq '"code_cache_key":null' "$BUILD/nspawn-runner" || return 1
  install -m 755 "$BUILD/nspawn-runner" "$CANDIDATE" && candidate_starts
}

# Starts the new program, by the command $@ where it names files that are not yet in their place.
candidate_starts() {
  env -i "$@" "$CANDIDATE" --version >"$BUILD/start" 2>&1 </dev/null || return 1
  [ "$(cat "$BUILD/start")" = "nspawn-runner $VERSION" ]
}

# Replaces the file $2 by a copy of $1 in one step.
put_file() {
  install -m 644 "$1" "$2.new"
  mv -fT "$2.new" "$2"
}

# Starts the program $1 of the script, and loads the part that few of its calls need, before their files take the place of
# older ones.
program_starts() {
  stage=$1
  [ "$stage" != all ] || stage=""
  for file in "$BUILD/script/$1"-rare-*.js; do
    # shellcheck disable=SC2046 # lists of words
    [ ! -e "$file" ] ||
      env -i $(variables "$BUILD") $(interpreter "$LIB") "$file" >"$BUILD/start" 2>&1 </dev/null || return 1
  done
  # shellcheck disable=SC2046,SC2086 # lists of words
  env -i $(variables "$BUILD") $(interpreter "$LIB") "$BUILD/script/$1.js" $stage --version >"$BUILD/start" 2>&1 </dev/null ||
    return 1
  [ "$(cat "$BUILD/start")" = "nspawn-runner $VERSION" ]
}

# Replaces the programs of the script, which jobs may call meanwhile: first come their parts, which have other names
# in each version, and last the parts of the version before are removed.
put_programs() {
  parts=""
  for file in "$BUILD"/script/chunk-*.js "$BUILD"/script/*-rare-*.js; do
    put_file "$file" "$PROGRAM/${file##*/}"
    parts="$parts ${file##*/}"
  done
  for program in $(programs_in "$BUILD/script"); do
    put_file "$BUILD/script/$program.js" "$PROGRAM/$program.js"
  done
  for file in "$PROGRAM"/chunk-*.js "$PROGRAM"/*-rare-*.js; do
    case "$parts " in
      *" ${file##*/} "*) ;;
      *) rm -f "$file" ;;
    esac
  done
}

# Builds the script form: its programs, and a Deno of their own.
make_script() {
  say "No denort is available for this Deno: installing a script, with its own copy of Deno in ${LIB#"$ROOT"}"
  # The deno on PATH may be a wrapper script.
  deno=$("$DENO" eval --no-config 'console.log(Deno.execPath())')
  if ! cmp -s "$deno" "$LIB/deno"; then
    install -m 755 "$deno" "$LIB/.deno.new"
    mv -fT "$LIB/.deno.new" "$LIB/deno"
  fi
  reader=$BUILD/program/${READER##*/}
  [ ! -e "$reader" ] || put_file "$reader" "$READER"
  mkdir -p "$PROGRAM" "$LIB/cache"
  { first_lines "${LIB#"$ROOT"}" && cat "$BUILD/script/start.js"; } >"$CANDIDATE"
  chmod 755 "$CANDIDATE"
  rm "$BUILD/script/start.js"
  for program in $(programs_in "$BUILD/script"); do
    program_starts "$program" || die "Cannot install into $PREFIX: a program does not start: $(last_error "$BUILD/start")"
  done
  put_programs
  # shellcheck disable=SC2046 # lists of words
  candidate_starts $([ -z "$ROOT" ] || echo "$(variables "$LIB") $(interpreter "$LIB")") ||
    die "Cannot install into $PREFIX: the program does not start: $(last_error "$BUILD/start")." \
      "Check that $PREFIX is not mounted noexec"
}

# Installs the files of share/, and removes those that only an earlier version had.
install_shared_files() {
  for file in $(find share -type f | sort); do
    place=$(place_of "$file")
    SHARED="$SHARED $place"
    case $file in
      share/man/*) sed "s,/usr/local/,$PREFIX/,g" "$file" >"$place" ;;
      *) install -m 644 "$file" "$place" ;;
    esac
  done
  for file in $(installed file); do
    case " $SHARED " in
      *" $file "*) ;;
      *) rm -f "$file" ;;
    esac
  done
}

# Prints what the manifest has of the kind $1: file, folder or unit.
installed() {
  sed -n "s/^$1  //p" "$MANIFEST" 2>/dev/null || :
}

# Replaces the installed program atomically and writes the manifest.
put_in_place() {
  back_up_foreign_program
  install_shared_files
  [ "$FORM" = executable ] || sync "$LIB/deno" "$PROGRAM"/*.js
  sync "$CANDIDATE"
  mv -fT "$CANDIDATE" "$BIN/nspawn-runner"
  if [ "$FORM" = executable ]; then rm -rf "$LIB/deno" "$LIB/cache" "$READER" "$PROGRAM"; fi
  old=$(installed folder)
  {
    for file in $SHARED; do echo "file  $file"; done
    for folder in $CREATED $DEFINITIONS $old; do echo "folder  $folder"; done
    for unit in $(units); do echo "unit  $unit"; done
    sha256sum "$BIN/nspawn-runner"
  } >"$BUILD/manifest"
  mv -fT "$BUILD/manifest" "$MANIFEST"
  if [ -n "$ROOT" ]; then
    say "Built $PREFIX/bin/nspawn-runner ($VERSION, $FORM)"
  else
    say "Installed $BIN/nspawn-runner ($VERSION, $FORM)"
  fi
}

# Creates the folder of definitions, which --uninstall keeps while it has any, and a configuration on a new host.
create_configuration() {
  if mkdir /etc/nspawn-runner 2>/dev/null; then DEFINITIONS=/etc/nspawn-runner; fi
  [ -e "$BIN/nspawn-runner" ] || ! is_new_host || write_configuration "$CANDIDATE"
}

# Prints the units to install: those of --timers now or in an earlier installation.
units() {
  [ "$TIMERS" = yes ] || [ -n "$(installed unit)" ] || return 0
  for job in gc maintenance metrics; do echo "nspawn-runner-$job.service nspawn-runner-$job.timer"; done
}

install_timers() {
  mkdir -p "$UNITS"
  write_units gc gc "Remove leftovers of CI jobs' machines" "OnBootSec=2min
OnCalendar=hourly
RandomizedDelaySec=5min"
  write_units maintenance chroot-maintenance "Update the chroots of CI jobs" "OnCalendar=03:00
RandomizedDelaySec=1h
Persistent=true"
  # A run of each minute is in the journal where it fails.
  write_units metrics "metrics --output $TEXTFILES/nspawn-runner.prom" "Write metrics of CI jobs" \
    "OnCalendar=minutely
AccuracySec=10s" "SyslogLevel=warning
LogLevelMax=notice"
  [ -z "$ROOT" ] || return 0
  systemctl daemon-reload
  timers="nspawn-runner-gc.timer nspawn-runner-maintenance.timer" metrics=""
  if [ -d "$TEXTFILES" ]; then
    timers="$timers nspawn-runner-metrics.timer" metrics=", metrics every minute"
  fi
  # shellcheck disable=SC2086 # a list of words
  systemctl --quiet enable --now $timers ||
    die "Cannot start the timers. See: systemctl status 'nspawn-runner-*.timer'"
  say "Installed timers: gc every hour, chroot-maintenance every night$metrics"
}

# Writes nspawn-runner-$1.service, which runs the command $2, has the description $3 and the further settings
# $5, and its timer with the settings $4.
write_units() {
  cat >"$UNITS/nspawn-runner-$1.service" <<END
[Unit]
Description=$3

[Service]
Type=oneshot
ExecStart=$PREFIX/bin/nspawn-runner $2
Nice=19
IOSchedulingClass=idle
CPUWeight=20
${5:-}
END
  cat >"$UNITS/nspawn-runner-$1.timer" <<END
[Unit]
Description=$3

[Timer]
$4

[Install]
WantedBy=timers.target
END
}

remove_timers() {
  units=$(installed unit)
  [ -n "$units" ] || return 0
  # shellcheck disable=SC2086 # a list of words
  [ ! -d /run/systemd/system ] || systemctl --quiet disable --now $units 2>/dev/null || :
  for unit in $units; do rm -f "$UNITS/$unit"; done
  remove_metrics
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

# Keeps another program of that name, such as the Python original, as nspawn-runner.before.
back_up_foreign_program() {
  [ -e "$BIN/nspawn-runner" ] || return 0
  [ ! -d "$BIN/nspawn-runner" ] ||
    die "Cannot install into $BIN: nspawn-runner is a folder there. Move it away"
  ! is_ours || return 0
  cp -a "$BIN/nspawn-runner" "$BIN/nspawn-runner.before"
  say "Kept the existing nspawn-runner as $BIN/nspawn-runner.before"
}

# Succeeds if the program has the checksum that the manifest records.
is_ours() {
  grep -v -e '^file' -e '^folder' -e '^unit' "$MANIFEST" 2>/dev/null | sha256sum --status -c - 2>/dev/null
}

install_program() {
  cd "$here"
  VERSION=$(sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' deno.json | head -n 1)
  open_prefix
  if [ "$DEPS" = yes ]; then
    set_needs
    # shellcheck disable=SC2086 # a list of words
    install_missing "$LOG" $NEEDS
  fi
  find_deno "$BUILD" "$LIB/deno"
  choose_route "$BUILD"
  build_program
  FORM=executable
  compile || FORM=script
  [ "$FORM" = executable ] || make_script
  [ -n "$ROOT" ] || create_configuration
  put_in_place
  if [ -n "$ROOT" ]; then
    rm -rf "$LIB/cache"
  elif [ "$FORM" = script ]; then
    fill_code_cache
  fi
  [ -z "$(units)" ] || install_timers
}

# Names the command that makes the chroot which the first job on a pulled image would wait for. The
# installer does not make it itself: that takes minutes, and few hosts without such jobs need it.
mention_helper() {
  [ ! -e "$(store)/helper" ] || return 0
  say "For jobs on images of registries, make the chroot of their checkouts beforehand:"
  say "  $BIN/nspawn-runner chroot-create helper"
}

uninstall() {
  if [ ! -f "$MANIFEST" ]; then
    say "nspawn-runner is not installed in $PREFIX"
    return 0
  fi
  warn_before_removal "$BIN/nspawn-runner"
  if is_ours; then
    rm -f "$BIN/nspawn-runner"
  elif [ -e "$BIN/nspawn-runner" ]; then
    say "Kept $BIN/nspawn-runner: it was changed after the installation"
  fi
  remove_timers
  for file in $(installed file); do rm -f "$file"; done
  folders=$(installed folder)
  rm -rf "$LIB/deno" "$LIB/cache" "$READER" "$PROGRAM" "$LIB"/.build.* "$MANIFEST"
  for folder in $folders; do rmdir "$folder" 2>/dev/null || :; done
  say "Removed nspawn-runner from $PREFIX; chroots and configuration stay"
}

# Runs a sample job in a chroot of the host's own suite on Debian, of bookworm elsewhere.
try_program() {
  # shellcheck disable=SC1091 # the host's own
  suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-}") || :
  suite=${suite:-bookworm}
  path=$("$BIN/nspawn-runner" chroot-list | sed -n "s/^$suite //p")
  if [ -z "$path" ] || [ ! -d "$path/usr" ]; then
    say "Creating the chroot $suite"
    "$BIN/nspawn-runner" chroot-create "$suite" --suite "$suite"
  fi
  say "Running a sample job in it"
  "$BIN/nspawn-runner" simulate --image "$suite"
}

main() {
  read_arguments "$@"
  [ "$(id -u)" -eq 0 ] || [ -n "$ROOT" ] || die "Cannot $MODE: it needs root. Run it with sudo"
  case $MODE in
    uninstall) uninstall ;;
    install)
      if [ -n "$ROOT" ]; then
        install_program
      else
        install_alone
        mention_helper
      fi
      ;;
    try)
      reason=$(no_machines_because)
      [ -z "$reason" ] || die "Cannot try: no machine can run here: $reason"
      (install_alone)
      try_program
      ;;
  esac
}

. "$here/npm/system.sh"
. "$here/npm/configuration.sh"
. "$here/npm/code_cache.sh"
. "$here/npm/deno.sh"
. "$here/npm/route.sh"
main "$@"
