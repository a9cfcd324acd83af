import type { Argv } from "../../host/host.ts";
import { CHOWN_STREAMS_SCRIPT } from "./streams.ts";

/**
 * Runs a client, sends it SIGCONT each second, and kills it two seconds after a file is gone.
 *
 * Arguments: the file, the owner of stdout and stderr, the client's command line. The loop in the background keeps
 * no stream of the client open, and ends with the client. Messages of the shell, such as "Killed", are discarded.
 */
export const WATCHDOG_SCRIPT = `
record=$1 owner=$2
shift 2
${CHOWN_STREAMS_SCRIPT}
"$@" &
client=$!
{
  while sleep 1; do
    kill -s CONT "$client"
    [ -e "$record" ] && continue
    sleep 1
    kill -s KILL "$client"
    exit
  done
} </dev/null >/dev/null 2>&1 &
watcher=$!
{
  wait "$client"
  code=$?
  kill "$watcher"
} 2>/dev/null
exit "$code"
`;

/**
 * Returns a command line that runs a client of a machine and ends it when the machine is gone.
 *
 * A shutdown first sends SIGSTOP to all processes of the machine. nsenter stops when its child does, and then the
 * machine cannot end. systemd-run 257 and later tries to reconnect to a machine that is gone, perhaps for ever.
 *
 * @param record A file that exists as long as the machine does.
 * @param owner The user id that gets stdout and stderr; 0 leaves them alone.
 */
export function withWatchdog(record: string, owner: number, argv: Argv): Argv {
  return ["sh", "-c", WATCHDOG_SCRIPT, "sh", record, `${owner}`, ...argv];
}
