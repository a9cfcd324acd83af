import type { Argv } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { ownerIds } from "./script.ts";

/**
 * Lines of a shell that give stdout and stderr to `$owner`, who runs the script: `echo >/dev/stderr` opens
 * the pipe anew, and would be refused what is another's. A terminal or a file stays whose it is.
 */
export const OWN_STREAMS = `
pipes=
for pipe in /proc/$$/fd/1 /proc/$$/fd/2; do
  [ ! -p "$pipe" ] || pipes="$pipes $pipe"
done
[ "$owner" = 0 ] || [ -z "$pipes" ] || chown "$owner" $pipes
`;

/** Words: the owner, the client. */
const SCRIPT = `owner=$1
shift${OWN_STREAMS}exec "$@"
`;

/**
 * A command line whose stdout and stderr belong to who runs the script.
 *
 * @param lease Whose machine.
 * @param argv The client.
 * @returns The words.
 */
export function ownStreams(lease: Lease, argv: Argv): Argv {
  const [uid] = ownerIds(lease);
  return uid === 0 ? argv : ["sh", "-c", SCRIPT, "sh", `${uid}`, ...argv];
}
