/** The program that runs in the machine of a service: it starts the program of the service once the job's machines are connected. */

import {
  CHANNEL,
  INSIDE,
  MAX_LOG_BYTES,
  SERVER_READY,
  SERVICE_HEALTHY,
  SERVICE_REPORTS,
  SERVICE_STARTED,
} from "../record/channel.ts";
import { BUSYBOX, HELPER_INSIDE } from "../record/helper_root.ts";
import type { StageServer } from "./stage_server.ts";
import { CLEAN_START, HELPER_FUNCTIONS } from "./two_roots.ts";

/** Bytes of a block of output. */
const BLOCK = 2048;
const BLOCKS = MAX_LOG_BYTES / BLOCK;

/** Seconds that one test of health may take: Docker's default. */
const HEALTH_SECONDS = 30;

/**
 * Runs by the helper root's static busybox: nothing of the image runs before its own program.
 *
 * The output never leaves the machine: a pipe to the host would stop a service whose output nobody reads, and a file that
 * grows would fill the host's disk.
 */
export const SERVICE_SERVER_SCRIPT = `#!/bin/sh
folder=${INSIDE} root=${HELPER_INSIDE}
busybox=$root/${BUSYBOX}
if [ $# -eq 0 ]; then
${CLEAN_START}  exec "$@"
fi
${HELPER_FUNCTIONS}
report() {
  echo "$1" >>"$folder/${CHANNEL.result}"
}
# The host reads only the end of the report.
fail() {
  report "${SERVICE_REPORTS.failed} $(printf %.1000s "$1")"
  exit
}
# Each file begins with a line that has the number of bytes that came before the others of the file. After a file that is
# not full, the output has ended, and the other file stays.
keep_output() {
  before=0 full=${MAX_LOG_BYTES}
  set -- "count=$full" iflag=count_bytes
  # An older busybox counts blocks alone, which may have less: it keeps less output.
  dd "$@" </dev/null >/dev/null 2>&1 || {
    full=1
    set -- count=${BLOCKS}
  }
  while :; do
    for log in ${CHANNEL.logs.join(" ")}; do
      { echo "$before"; dd bs=${BLOCK} "$@" 2>/dev/null || cat >/dev/null; } >"$folder/$log"
      size=$(wc -c <"$folder/$log")
      size=$((size - \${#before} - 1))
      [ "$size" -ge "$full" ] || return
      before=$((before + size))
    done
  done
}
# Arguments: a function of the file "${CHANNEL.process}", the path of its program.
run() {
  become_user "$busybox" sh "$folder/${CHANNEL.start}" "$@"
}
test_health() {
  pause=0.05
  until (run run_health "$1") </dev/null >/dev/null 2>&1; do
    sleep "$pause"
    case $pause in
      0.05) pause=0.1 ;;
      0.1) pause=0.3 ;;
      *) pause=1 ;;
    esac
  done
  report ${SERVICE_HEALTHY}
}
umask 022
read -r uid gid name home <"$folder/${CHANNEL.user}"
export HOME="$home" USER="$name" LOGNAME="$name"
exec </dev/null >/dev/null 2>&1
report ${SERVER_READY}
until read -r _ <"$folder/${CHANNEL.call}"; do :; done
# Sets workdir, path, entry and health.
# shellcheck source=/dev/null
. "$folder/${CHANNEL.process}"
# shellcheck disable=SC2154
[ -d "$workdir" ] || mkdir -p "$workdir"
cd "$workdir" || fail "it has no folder $workdir"
# shellcheck disable=SC2154
PATH=$path find_program "$entry" || fail "it has no program $entry"
keep_output <"$folder/${CHANNEL.stdout}" &
logger=$!
(run run_program "$program") >"$folder/${CHANNEL.stdout}" 2>&1 &
main=$!
report ${SERVICE_STARTED}
# shellcheck disable=SC2154
if [ -n "$health" ]; then
  PATH=$path find_program "$health" || program=$health
  test_health "$program" &
fi
wait "$main"
code=$?
steps=0 # processes that the program has left may keep the pipe open
while kill -0 "$logger" && [ "$steps" -lt 20 ]; do
  sleep 0.05
  steps=$((steps + 1))
done
report "${SERVICE_REPORTS.exited} $code"
`;

/**
 * Runs in the machine's own root, as the user of the service, by the helper root's busybox. Arguments: a function of the
 * file that describes the program, the path of the program.
 */
export const START_SERVICE_SCRIPT = `
# Sets workdir. What the variables are named makes no difference after they are exported.
# shellcheck source=/dev/null
. ${INSIDE}/${CHANNEL.process}
# shellcheck disable=SC2154
cd "$workdir" 2>/dev/null || cd /
export_variables
"$@"
`;

/** The command that ends a test of health that takes too long. */
export const HEALTH_TIMEOUT = [`${HELPER_INSIDE}/${BUSYBOX}`, "timeout", `${HEALTH_SECONDS}`];

/** The server of the machine of a service, which does not boot. */
export const SERVICE_SERVER: StageServer = { program: SERVICE_SERVER_SCRIPT, unit: "" };
