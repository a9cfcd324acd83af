/** The program that waits in a machine and runs the scripts of its stages. */

import { END_FUNCTIONS } from "../../linux/cgroups.ts";
import { MINIMAL_ENVIRONMENT, OPEN_FILES } from "../../linux/nsenter.ts";
import {
  CHANNEL,
  INSIDE,
  SERVER_BEGUN,
  SERVER_READY,
  STAGE_CGROUP,
  STOP_SECONDS,
} from "../record/channel.ts";

/**
 * Functions of the server, whichever roots a machine has. The program has these: `get_ready` decides before each call who
 * will run the script, `run_script` runs it, and `start_again` replaces the server.
 *
 * The process that will run the next script waits in its cgroup, so that a call only has to wake it up. It is no
 * background process of the shell: those ignore SIGINT for good. Traps are not passed on to it.
 *
 * A request is `NONCE STREAMS`, then the shells that may run the script, then the options of the shell. The server
 * reports `NONCE started`, and `NONCE CODE` when no process of the script is left.
 */
export const SERVER_FUNCTIONS = `${END_FUNCTIONS}
# systemd-shutdown waits for processes that survive SIGTERM.
is_shutting_down() {
  read -r init </proc/1/comm && [ "$init" = systemd-shutdow ]
}
report() {
  echo "$1" >>${CHANNEL.result}
}
# The end of a stage has to be known also where the disk is full: the file's own block is free to be used again.
report_end() {
  report "$1" || { : >${CHANNEL.result} && report "$1"; } || stop
}
has_started() {
  while read -r line; do
    [ "$line" != "$1 started" ] || return 0
  done <${CHANNEL.result}
  return 1
}
# The codes of a process that ends before its script begins; for others the job may have erased the report.
may_be_code_of() {
  case $code in
    2 | 137 | 143 | 250 | 254) has_started "$1" ;;
  esac
}
# Fails where no script has ended.
report_code() {
  nonce=
  [ ! -e ${CHANNEL.request} ] || read -r nonce _ <${CHANNEL.request}
  [ -n "$nonce" ] && [ "$nonce" != "$last" ] && may_be_code_of "$nonce" || return
  report_end "$nonce $code"
  last=$nonce
}
make_folders() {
  read -r uid gid name home
  while read -r path; do
    mkdir -p "$path" && chown "$uid:$gid" "$path"
  done
}
run_next() {
  mkdir -p "$cgroup"
  if ! echo 0 >"$cgroup/cgroup.procs"; then
    remove "$cgroup" # no process may join one that has controllers for others
    exit 250
  fi
  get_ready
  # A run that was cancelled closes the pipe without a line, or after its script.
  until read -r _ <${CHANNEL.call}; do [ -p ${CHANNEL.call} ] || exit 250; done
  {
    read -r nonce streams stage
    read -r shells
    read -r options
  } <${CHANNEL.request}
  [ -n "$nonce" ] && [ "$nonce" != "$last" ] || exit 250
  exec >${CHANNEL.stdout}
  if [ "$streams" = one ]; then exec 2>&1; else exec 2>${CHANNEL.stderr}; fi
  report "$nonce started" || exit 250 # from now on the output can end
  cd /
  run_script
}
end_leftovers() {
  while read -r key value; do
    [ "$key $value" != "populated 0" ] || return 0
  done <"$cgroup/cgroup.events"
  end_all "$cgroup" ${STOP_SECONDS * 100}
}
stop() {
  trap - EXIT
  exit
}
# A shell that cannot start a process ends, as while leftovers are as many as the machine may have. Another program can
# take its place without a new process.
restart() {
  { echo 1 >"$cgroup/cgroup.kill"; } 2>/dev/null
  [ -z "$code" ] || report_code
  start_again
}
`;

/** The loop of the server. */
export const SERVER_LOOP = `
cd "$folder" || exit # a script may move the path of the pipes
umask 022
trap : HUP INT
trap '! is_shutting_down || stop' TERM
while IFS=: read -r _ controllers path; do
  [ -n "$controllers" ] || cgroup=/sys/fs/cgroup\${path%/}/${STAGE_CGROUP}
done </proc/self/cgroup
if [ "$1" != again ]; then
  [ -d /tmp ] || mkdir -m 1777 /tmp
  mkdir -p "$cgroup" && command -v sleep >/dev/null || exit
  # Until here a message gets into the output of the machine. Scripts must not: they could fill the host's journal.
  exec </dev/null >/dev/null 2>&1
fi
last=
code=
trap restart EXIT
# A server that was killed may have begun the present request.
[ ! -e ${CHANNEL.request} ] || read -r last _ <${CHANNEL.request}
has_started "$last" || last=
report ${SERVER_READY}
while :; do
  code=
  (run_next)
  code=$?
  end_leftovers
  report_code || sleep 0.1
done
`;

/** Runs as root of the machine, in the foreground: it is the payload of a plain machine, and a service of a booted one. */
export const STAGE_SERVER_SCRIPT = `#!/bin/sh
folder=${INSIDE}
if [ $# -eq 0 ]; then
  echo ${SERVER_BEGUN} >>"$folder/${CHANNEL.result}"
  set -- env -i PATH=${MINIMAL_ENVIRONMENT.PATH} LANG=${MINIMAL_ENVIRONMENT.LANG} /bin/sh "$folder/${CHANNEL.server}" clean
  # nspawn leaves capabilities inheritable, which scripts do not need. Old programs and busybox refuse the option.
  ! setpriv --inh-caps=-all -- true 2>/dev/null || set -- setpriv --inh-caps=-all -- "$@"
  exec "$@"
fi
${SERVER_FUNCTIONS}
start_again() {
  exec /bin/sh "$folder/${CHANNEL.server}" again
}
get_ready() {
  name=root home=/root
  [ ! -e ${CHANNEL.user} ] || make_folders <${CHANNEL.user}
}
is_user_of_image() {
  grep -q "^$name:" /etc/passwd
}
# With safe_directory_checkout, GitLab Runner calls git config --global, which fails for a user without a home of their own.
replace_git_config() {
  [ "$(stat -L -c %u "$home" 2>/dev/null)" != "$uid" ] && [ ! -e "$home/.gitconfig" ] || return 0
  GIT_CONFIG_GLOBAL=$(mktemp) && chown "$uid:$gid" "$GIT_CONFIG_GLOBAL" && export GIT_CONFIG_GLOBAL
} 2>/dev/null
# Arguments: the command line of the script.
run_as_user() {
  export HOME="$home" USER="$name" LOGNAME="$name"
  if [ -e "$folder/${CHANNEL.environment}" ]; then
    while IFS= read -r line; do set -- "$line" "$@"; done <"$folder/${CHANNEL.environment}"
    set -- env "$@"
  fi
  # A script that kills its process group does not kill the server.
  ! command -v setsid >/dev/null || set -- setsid "$@"
  exec "$@"
}
run_script() {
  shell=
  for candidate in $shells; do
    command -v "$candidate" >/dev/null && shell=$candidate && break
  done
  if [ -z "$shell" ]; then
    echo "nspawn-runner: this image has no \${shells%% *}" >&2
    exit 127
  fi
  # shellcheck disable=SC2086 # a list of words
  set -- $options "$folder/script-$nonce"
  [ "$name" = root ] || [ "$stage" != sources ] || replace_git_config
  if [ "$name" = root ]; then
    run_as_user "$shell" "$@"
  elif setpriv --inh-caps=-all -- true 2>/dev/null; then
    groups=--clear-groups
    ! is_user_of_image || groups=--init-groups
    run_as_user setpriv "--reuid=$uid" "--regid=$gid" "$groups" --inh-caps=-all -- "$shell" "$@"
  else
    run_as_user su -p -s "$(command -v "$shell")" "$name" "$@"
  fi
}
${SERVER_LOOP}`;

/**
 * The unit of the server in a booted machine. It needs nothing of the boot, and `systemctl isolate` leaves it alone.
 * The stage is not under the control of the machine's systemd: it has the limits of a root shell.
 */
export const STAGE_SERVER_UNIT = `[Unit]
Description=Scripts of the CI job
DefaultDependencies=no
IgnoreOnIsolate=yes
RefuseManualStop=yes
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh ${INSIDE}/${CHANNEL.server}
Restart=always
RestartSec=0
Slice=-.slice
Delegate=yes
TasksMax=infinity
OOMPolicy=continue
IgnoreSIGPIPE=no
LimitNOFILE=${OPEN_FILES.soft}:${OPEN_FILES.hard}
LimitCORE=1
`;

/** The program of a machine's stage server, and the unit that starts it where the machine boots. */
export interface StageServer {
  readonly program: string;
  readonly unit: string;
}

/** The server of a machine in which all stages run in the same root. */
export const ONE_ROOT_SERVER: StageServer = {
  program: STAGE_SERVER_SCRIPT,
  unit: STAGE_SERVER_UNIT,
};
