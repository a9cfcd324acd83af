/** The program that runs the scripts of a machine with two roots: its own, and the helper root. */

import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { CHANNEL, INSIDE } from "../record/channel.ts";
import { BUSYBOX, HELPER_HOME, HELPER_INSIDE, RUNNER_FOLDER } from "../record/helper_root.ts";
import {
  SERVER_FUNCTIONS,
  SERVER_LOOP,
  STAGE_SERVER_UNIT,
  type StageServer,
} from "./stage_server.ts";

/** Sets the command line that starts a server again, with a clean environment and without inheritable capabilities. */
export const CLEAN_START =
  `  set -- env -i PATH=${MINIMAL_ENVIRONMENT.PATH} LANG=${MINIMAL_ENVIRONMENT.LANG} "$busybox" sh "$folder/${CHANNEL.server}" clean
  # nspawn leaves capabilities inheritable, which scripts do not need.
  last=$(cat /proc/sys/kernel/cap_last_cap) # read would get one digit: it reads single bytes, and the file ends after one read
  inheritable=-cap_0
  while [ "$last" -gt 0 ]; do
    inheritable=$inheritable,-cap_$last
    last=$((last - 1))
  done
  ! setpriv --inh-caps="$inheritable" true 2>/dev/null || set -- setpriv --inh-caps="$inheritable" "$@"
`;

/** Functions of servers that start programs of the machine's own root. */
export const HELPER_FUNCTIONS = `# Sets program. command -v would find busybox's own.
find_program() {
  case $1 in
    */*)
      program=$1
      [ -x "$program" ]
      return
      ;;
  esac
  IFS=:
  for program in $PATH; do
    program=$program/$1
    [ ! -x "$program" ] || break
  done
  unset IFS
  [ -x "$program" ]
}
# Becomes the user in the machine's own root, and runs a command by its full path in the folder /. busybox keeps that folder
# when it enters the helper root, so that it leads back: there may be no /proc.
become_user() {
  if [ "$uid" -ne 0 ]; then
    groups=$gid
    while IFS=: read -r _ _ group members; do
      case ,$members, in
        *,"$name",*) groups=$groups,$group ;;
      esac
    done </etc/group
    set -- "$busybox" nsenter "--root=$root" /usr/bin/setpriv "--regid=$gid" "--groups=$groups" --inh-caps=-all -- \\
      /usr/bin/nsenter --root=. "--setuid=$uid" -- "$@"
  fi
  cd /
  # A script that kills its process group does not kill the server.
  exec setsid "$@"
}
`;

/**
 * Runs by the helper root's static busybox, whose shell has all programs that it needs: nothing of the machine's own root
 * runs before the user's script, which may be an image without a shell.
 *
 * The helper root's setpriv and nsenter drop privileges, by numbers: they read no file of the image.
 */
export const TWO_ROOTS_SERVER_SCRIPT = `#!/bin/sh
folder=${INSIDE} root=${HELPER_INSIDE}
busybox=$root/${BUSYBOX}
if [ $# -eq 0 ]; then
${CLEAN_START}  exec "$@"
fi
${HELPER_FUNCTIONS}${SERVER_FUNCTIONS}
start_again() {
  exec "$busybox" sh "$folder/${CHANNEL.server}" again
}
# A stage in the helper root finds nothing that an earlier one has left in its home.
make_home() {
  rm -rf "$root/${HELPER_HOME}"
  mkdir "$root/${HELPER_HOME}" && chown "$uid:$gid" "$root/${HELPER_HOME}"
} 2>/dev/null
get_ready() {
  make_folders <${CHANNEL.user}
  make_home
}
run_script() {
  export USER="$name" LOGNAME="$name"
  case $stage in
    sources | files) run_in_helper ;;
    *) run_in_image ;;
  esac
}
run_in_helper() {
  [ -d "$root/${HELPER_HOME}" ] || make_home # the first stage: its file system was mounted after get_ready
  export HOME=/${HELPER_HOME} PATH="/${RUNNER_FOLDER}:$PATH"
  set -- /bin/bash
  # A job may set PATH, and GitLab Runner's scripts do not say where its program is. A function of bash does not need PATH.
  # shellcheck disable=SC2016 # bash expands it
  [ ! -e "$root/${RUNNER_FOLDER}/gitlab-runner" ] ||
    set -- /usr/bin/env 'BASH_FUNC_gitlab-runner%%=() { /${RUNNER_FOLDER}/gitlab-runner "$@"; }' "$@"
  if [ "$uid" -ne 0 ]; then
    capabilities=-all ambient=-all
    # Archives of caches belong to jobs with any user. These stages run no command of the job, but they have its variables.
    [ "$stage" = sources ] || capabilities=-all,+dac_override ambient=+dac_override
    set -- /usr/bin/setpriv "--reuid=$uid" "--regid=$gid" --clear-groups \\
      "--inh-caps=$capabilities" "--ambient-caps=$ambient" -- "$@"
  fi
  exec setsid chroot "$root" "$@" <"$folder/script-$nonce"
}
run_in_image() {
  export HOME="$home"
  [ ! -e "$folder/${CHANNEL.process}" ] || run_process
  shell=
  for candidate in $shells; do
    find_program "$candidate" && shell=$program && break
  done
  if [ -z "$shell" ]; then
    echo "nspawn-runner: this image has no \${shells%% *}" >&2
    exit 127
  fi
  # shellcheck disable=SC2086 # a list of words
  set -- "$shell" $options "$folder/script-$nonce"
  if [ -e "$folder/${CHANNEL.environment}" ]; then
    while IFS= read -r line; do set -- "$line" "$@"; done <"$folder/${CHANNEL.environment}"
  fi
  become_user "$busybox" env "$@"
}
# Runs the script as a pulled image runs it: it is the input of a shell, which the image's entrypoint may start.
run_process() {
  exec 8<"$folder/script-$nonce"
  # shellcheck source=/dev/null
  . "$folder/${CHANNEL.process}"
  # shellcheck disable=SC2154 # the file sets it
  [ -d "$workdir" ] || mkdir -p "$workdir"
  set -- "$busybox" sh "$folder/${CHANNEL.start}" "$nonce"
  # shellcheck disable=SC2154 # the file sets it
  [ -n "$entry" ] || become_user "$@" <&8 8<&-
  trap : TERM # a cancel ends the entrypoint, and not this shell, which reports how the entrypoint ended
  exec 7>&2 2>/dev/null # this shell prints a line about a killed child
  (become_user "$@" <&8 8<&- 2>&7 7>&-)
  code=$?
  exec 2>&7 7>&-
  read -r _ position </proc/self/fdinfo/8
  if [ "$position" -eq 0 ]; then
    echo "nspawn-runner: the image's entrypoint, $entry, did not run the script" >&2
    echo 'It has to execute its arguments. To run the script without it, write in the job: image: {name: IMAGE, entrypoint: [""]}' >&2
    [ "$code" -ne 0 ] || code=1
  fi
  exit "$code"
}
# Before the server reports that it is ready: prepare then mounts these folders in the helper root.
make_folders <"$folder/${CHANNEL.user}"
${SERVER_LOOP}`;

/**
 * Runs in the machine's own root, as the user of its scripts, by the helper root's busybox. Argument: the nonce of the
 * stage. The script is its input.
 */
export const START_PROCESS_SCRIPT = `
nonce=$1 folder=${INSIDE} busybox=${HELPER_INSIDE}/${BUSYBOX}
set --
# Sets workdir, path and entry; the parameters become variables of the environment.
# shellcheck source=/dev/null
. "$folder/${CHANNEL.process}"
# Variables of the job replace those of the image.
if [ -e "$folder/variables-$nonce" ]; then
  # shellcheck source=/dev/null
  . "$folder/variables-$nonce"
  for variable; do
    shift
    is_of_job "\${variable%%=*}" || set -- "$@" "$variable"
  done
else
  export_variables() { :; }
fi
# shellcheck disable=SC2154
cd "$workdir" 2>/dev/null || cd /
shell=
for candidate in /usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh; do
  [ ! -x "$candidate" ] || {
    shell=$candidate
    break
  }
done
if [ -z "$shell" ]; then
  echo 'nspawn-runner: this image has no shell, which scripts need: bash or sh in /bin, /usr/bin or /usr/local/bin, or /busybox/sh' >&2
  echo "Use a variant of the image with one: their tags often end in -debug, -shell or -alpine" >&2
  read -r _ # no further message that the script was not read
  exit 1
fi
# shellcheck disable=SC2154
[ -n "$entry" ] || exec "$busybox" env "$@" "$shell"
program=
case $entry in
  */*) program=$entry ;;
  *)
    IFS=:
    # shellcheck disable=SC2154
    for candidate in $path; do
      [ ! -x "$candidate/$entry" ] || {
        program=$candidate/$entry
        break
      }
    done
    unset IFS
    ;;
esac
if [ ! -x "$program" ]; then
  echo "nspawn-runner: this image has no $entry, its entrypoint. To do without, write in the job: image: {name: IMAGE, entrypoint: [\\"\\"]}" >&2
  read -r _
  exit 127
fi
set -- "$@" "$program"
# shellcheck source=/dev/null
. "$folder/${CHANNEL.entrypoint}"
# shellcheck disable=SC2016 # a program of its own
set -- "$busybox" env "$@" sh -c '
for shell in /usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh; do
  if [ -x "$shell" ]; then exec "$shell"; fi
done
echo shell not found
exit 1
'
export_variables # they may have the names of this program's own
exec "$@"
`;

/** The server of a machine with two roots. */
export const TWO_ROOTS_SERVER: StageServer = {
  program: TWO_ROOTS_SERVER_SCRIPT,
  unit: STAGE_SERVER_UNIT.replace(
    "ExecStart=/bin/sh ",
    `ExecStart=${HELPER_INSIDE}/${BUSYBOX} sh `,
  ),
};
