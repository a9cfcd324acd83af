import type { Argv } from "../../host/host.ts";
import { CHOWN_STREAMS } from "./streams.ts";

/**
 * Runs a client, wakes it each second, and ends it two seconds after a file is gone. Words: the file,
 * who owns our streams then, the client. The watcher holds none of the streams that the client has, and is gone with it. A shell
 * would say that its client was killed: not in the log of a job.
 */
const WATCHDOG = `
record=$1 owner=$2
shift 2
${CHOWN_STREAMS}
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
 * A command line for a client of a machine that may go away under it. A shutdown first stops all
 * processes of a machine: nsenter stops with its child, and would neither go on nor let the machine end.
 * systemd-run from 257 on tries to connect again, and was seen to wait for good.
 *
 * @param record A file that is there as long as the machine is.
 * @param owner Who is to own stdout and stderr; 0 leaves them alone.
 * @param argv The client.
 * @returns The words.
 */
export function withWatchdog(record: string, owner: number, argv: Argv): Argv {
  return ["sh", "-c", WATCHDOG, "sh", record, `${owner}`, ...argv];
}
