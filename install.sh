#!/bin/sh
# Builds nspawn-runner and installs it. See usage() below; run it again at any time.
#
# Environment: DENO names a Deno to use, DENORT_BIN a denort that matches it, NSPAWN_RUNNER_ROUTE=jsr
# or =npm where packages come from, DENO_DIR a folder that keeps downloads.
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
  --no-deps     leave the packages of the system alone
  --timers      also run "nspawn-runner gc" every hour and "nspawn-runner chroot-maintenance" every
                night, by timers of systemd
  --try         afterwards make a chroot, unless it is there, and run a sample job in it
  --uninstall   remove what was installed; chroots and configuration stay
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

# Reads the command line into PREFIX, DEPS and MODE.
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
  # The prefix becomes part of a #! line, which knows no quotes.
  case $PREFIX in
    *[!A-Za-z0-9._/+@-]*)
      die "Cannot install into \"$PREFIX\": only letters, digits and ._/+@- may be in its path. Choose another --prefix"
      ;;
  esac
  BIN=$PREFIX/bin LIB=$PREFIX/lib/nspawn-runner
  MANIFEST=$LIB/manifest
  UNITS=/etc/systemd/system
  [ "$TIMERS" = no ] || [ -d /run/systemd/system ] ||
    die "Cannot install timers: systemd is not PID 1 here. Leave out --timers, and run \`nspawn-runner gc\` by other means"
}

# Makes the folders, notes which are new, and takes the installer's lock.
open_prefix() {
  CREATED=""
  for folder in "$PREFIX" "$BIN" "$PREFIX/lib" "$LIB"; do
    [ ! -d "$folder" ] || continue
    mkdir -p "$folder" 2>/dev/null ||
      die "Cannot install into $PREFIX: $folder cannot be made. Choose another --prefix"
    CREATED="$folder $CREATED"
  done
  exec 9<"$LIB"
  flock -n 9 || die "Cannot install into $PREFIX: another installation runs there. Wait for it"
  trap close_prefix EXIT
  trap 'exit 1' INT TERM HUP
  rm -rf "$LIB"/.build.*
  # Not in /tmp, which may forbid programs: the result must start before it is installed.
  BUILD=$(mktemp -d "$LIB/.build.XXXXXX")
  CANDIDATE=$BIN/.nspawn-runner.new
  LOG=$BUILD/log
  DENO_DIR=${DENO_DIR:-$BUILD/deno_dir}
  export DENO_DIR
  : >"$LOG"
}

# Leaves nothing of a build, nor of an installation that failed.
close_prefix() {
  rm -rf "$BUILD" "$CANDIDATE" "$LIB/.deno.new"
  [ -e "$MANIFEST" ] || rm -rf "$LIB/deno" "$LIB/cache"
  # shellcheck disable=SC2086 # folders have no blanks
  [ -z "$CREATED" ] || rmdir $CREATED 2>/dev/null || :
}

build_bundle() {
  say "Building nspawn-runner $VERSION"
  # shellcheck disable=SC2086 # a list of words
  "$DENO" bundle $ROUTE --minify -o "$BUILD/nspawn-runner.js" mod.ts >>"$LOG" 2>&1 </dev/null ||
    die "Cannot build: $(last_words "$LOG"). Check that this network reaches npm or JSR"
}

# What the program may do: all but opening a network connection.
GRANTS="--no-prompt --allow-read --allow-write --allow-env --allow-run --allow-sys"

# Lays the program onto denort. Over a denort of another version that seems to work, hence the proof.
compile() {
  # shellcheck disable=SC2086 # a list of words
  timeout 300 "$DENO" compile --no-config --no-code-cache $GRANTS \
    -o "$BUILD/nspawn-runner" "$BUILD/nspawn-runner.js" >>"$LOG" 2>&1 </dev/null || return 1
  # With a code cache it would read a file in /tmp that anyone may have put there.
  grep -aq '"code_cache_key":null' "$BUILD/nspawn-runner" || return 1
  install -m 755 "$BUILD/nspawn-runner" "$CANDIDATE" && candidate_starts
}

candidate_starts() {
  env -i "$CANDIDATE" --version >"$BUILD/start" 2>&1 </dev/null || return 1
  [ "$(cat "$BUILD/start")" = "nspawn-runner $VERSION" ]
}

# The first line of the other form: what GRANTS says, and no import from anywhere. A kernel reads 255
# bytes of it, hence the short names.
first_line() {
  printf '#!/usr/bin/env -S DENO_DIR=%s DENO_NO_UPDATE_CHECK=1 %s' "$LIB/cache" "$LIB/deno"
  printf ' run --ext=js --no-config --cached-only --no-prompt -R -W -E -S --allow-run\n'
}

# The other form: the bundle as a script, with a Deno of its own.
make_script() {
  [ "$(first_line | wc -c)" -le 255 ] ||
    die "Cannot install into $PREFIX: the path is too long for a #! line. Choose a shorter --prefix"
  say "No denort for this Deno can be had: installing a script with a Deno of its own in $LIB"
  # What is on PATH may be a wrapper.
  deno=$("$DENO" eval --no-config 'console.log(Deno.execPath())')
  if ! cmp -s "$deno" "$LIB/deno"; then
    install -m 755 "$deno" "$LIB/.deno.new"
    mv -fT "$LIB/.deno.new" "$LIB/deno"
  fi
  mkdir -p "$LIB/cache"
  { first_line && cat "$BUILD/nspawn-runner.js"; } >"$CANDIDATE"
  chmod 755 "$CANDIDATE"
  candidate_starts ||
    die "Cannot install into $PREFIX: the program does not start: $(last_words "$BUILD/start")." \
      "Check that $PREFIX allows programs to run"
}

# Puts the program in its place in one step, and notes what is ours.
put_in_place() {
  keep_stranger
  sync "$CANDIDATE"
  mv -fT "$CANDIDATE" "$BIN/nspawn-runner"
  if [ "$FORM" = executable ]; then rm -rf "$LIB/deno" "$LIB/cache"; fi
  old=$(sed -n 's/^folder  //p' "$MANIFEST" 2>/dev/null || :)
  # For definitions; it stays while there are any.
  if mkdir /etc/nspawn-runner 2>/dev/null; then old="$old /etc/nspawn-runner"; fi
  {
    for folder in $CREATED $old; do echo "folder  $folder"; done
    for unit in $(units); do echo "unit  $unit"; done
    sha256sum "$BIN/nspawn-runner"
  } >"$BUILD/manifest"
  mv -fT "$BUILD/manifest" "$MANIFEST"
  say "Installed $BIN/nspawn-runner ($VERSION, $FORM)"
}

# Deno keeps the code of a program that ran long enough, by its path: each start is quicker then. A job's calls
# would do the same, and on a prefix that is read-only later nobody could.
warm_up() {
  for _ in 1 2; do
    "$BIN/nspawn-runner" --config /dev/null chroot-list >/dev/null 2>&1 </dev/null || :
  done
}

# The units that are installed: asked for now, or by an installation before.
units() {
  if [ "$TIMERS" = yes ]; then
    for job in gc maintenance; do echo "nspawn-runner-$job.service nspawn-runner-$job.timer"; done
  else
    sed -n 's/^unit  //p' "$MANIFEST" 2>/dev/null || :
  fi
}

install_timers() {
  write_units gc gc "Remove what machines of CI jobs left behind" "OnBootSec=2min
OnCalendar=hourly
RandomizedDelaySec=5min"
  write_units maintenance chroot-maintenance "Bring the chroots of CI jobs up to date" "OnCalendar=03:00
RandomizedDelaySec=1h
Persistent=true"
  systemctl daemon-reload
  systemctl --quiet enable --now nspawn-runner-gc.timer nspawn-runner-maintenance.timer ||
    die "Cannot start the timers. See: systemctl status 'nspawn-runner-*.timer'"
  say "Installed timers: gc every hour, chroot-maintenance every night"
}

# Writes the units nspawn-runner-$1, which run the command $2 for the purpose $3, at the times $4.
write_units() {
  cat >"$UNITS/nspawn-runner-$1.service" <<END
[Unit]
Description=$3

[Service]
Type=oneshot
ExecStart=$BIN/nspawn-runner $2
Nice=19
IOSchedulingClass=idle
CPUWeight=20
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
  units=$(sed -n 's/^unit  //p' "$MANIFEST")
  [ -n "$units" ] || return 0
  # shellcheck disable=SC2086 # a list of words
  [ ! -d /run/systemd/system ] || systemctl --quiet disable --now $units 2>/dev/null || :
  for unit in $units; do rm -f "$UNITS/$unit"; done
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

# A program of that name that is not ours, such as the Python one, is kept beside ours.
keep_stranger() {
  [ -e "$BIN/nspawn-runner" ] || return 0
  [ ! -d "$BIN/nspawn-runner" ] ||
    die "Cannot install into $BIN: nspawn-runner is a folder there. Move it away"
  ! is_ours || return 0
  cp -a "$BIN/nspawn-runner" "$BIN/nspawn-runner.before"
  say "Kept the nspawn-runner that was there as $BIN/nspawn-runner.before"
}

# Whether the program that is there is the one that the manifest notes.
is_ours() {
  grep -v -e '^folder' -e '^unit' "$MANIFEST" 2>/dev/null | sha256sum --status -c - 2>/dev/null
}

install_program() {
  cd "$here"
  VERSION=$(sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' deno.json | head -n 1)
  open_prefix
  if [ "$DEPS" = yes ]; then
    runner_needs
    # shellcheck disable=SC2086 # a list of words
    bring "$LOG" $NEEDS
  fi
  find_deno "$BUILD" "$LIB/deno"
  choose_route "$BUILD"
  build_bundle
  FORM=executable
  compile || FORM=script
  [ "$FORM" = executable ] || make_script
  put_in_place
  [ "$FORM" = executable ] || warm_up
  [ -z "$(units)" ] || install_timers
}

uninstall() {
  if [ ! -f "$MANIFEST" ]; then
    say "nspawn-runner is not installed in $PREFIX"
    return 0
  fi
  if is_ours; then
    rm -f "$BIN/nspawn-runner"
  elif [ -e "$BIN/nspawn-runner" ]; then
    say "Left $BIN/nspawn-runner: it is not as it was installed"
  fi
  remove_timers
  folders=$(sed -n 's/^folder  //p' "$MANIFEST")
  rm -rf "$LIB/deno" "$LIB/cache" "$LIB"/.build.* "$MANIFEST"
  for folder in $folders; do rmdir "$folder" 2>/dev/null || :; done
  say "Removed nspawn-runner from $PREFIX; chroots and configuration stay"
}

# Runs a sample job, in a chroot of the host's own suite where that is Debian's.
try_program() {
  # shellcheck disable=SC1091 # the host's own
  suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-}") || :
  suite=${suite:-bookworm}
  path=$("$BIN/nspawn-runner" chroot-list | sed -n "s/^$suite //p")
  if [ -z "$path" ] || [ ! -d "$path/usr" ]; then
    say "Making the chroot $suite"
    "$BIN/nspawn-runner" chroot-create "$suite" --suite "$suite"
  fi
  say "Running a sample job in it"
  "$BIN/nspawn-runner" simulate --image "$suite"
}

main() {
  read_arguments "$@"
  [ "$(id -u)" -eq 0 ] || die "Cannot $MODE: it needs root. Run it with sudo"
  case $MODE in
    uninstall) uninstall ;;
    install) install_program ;;
    try)
      reason=$(no_machines_because)
      [ -z "$reason" ] || die "Cannot try: no machine can run here: $reason"
      (install_program)
      try_program
      ;;
  esac
}

. "$here/npm/system.sh"
. "$here/npm/deno.sh"
. "$here/npm/route.sh"
main "$@"
