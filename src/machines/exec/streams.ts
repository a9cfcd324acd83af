import type { Argv } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { scriptOwnerIds } from "./script.ts";

/**
 * Lines of a shell that give stdout and stderr to `$owner`, who runs the script: `echo >/dev/stderr` opens
 * the pipe anew, and would be refused what is another's. A terminal or a file stays whose it is.
 */
export const CHOWN_STREAMS = `
pipes=
for pipe in /proc/$$/fd/1 /proc/$$/fd/2; do
  [ ! -p "$pipe" ] || pipes="$pipes $pipe"
done
[ "$owner" = 0 ] || [ -z "$pipes" ] || chown "$owner" $pipes
`;

/** Words: the owner, the client. */
const RUN_WITH_OWN_STREAMS = `owner=$1
shift${CHOWN_STREAMS}exec "$@"
`;

/**
 * A command line whose stdout and stderr belong to who runs the script.
 *
 * @param lease Whose machine.
 * @param argv The client.
 * @returns The words.
 */
export function withOwnStreams(lease: Lease, argv: Argv): Argv {
  const [uid] = scriptOwnerIds(lease);
  return uid === 0 ? argv : ["sh", "-c", RUN_WITH_OWN_STREAMS, "sh", `${uid}`, ...argv];
}
