import type { Argv } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { scriptOwnerIds } from "./script_owner.ts";

/**
 * Arguments: the user id of the streams' new owner, the command. A program that opens /dev/stderr opens the pipe again,
 * which only its owner may do.
 */
export const RUN_WITH_OWN_STREAMS_SCRIPT = `owner=$1
shift
pipes=
for pipe in /proc/$$/fd/1 /proc/$$/fd/2; do
  [ ! -p "$pipe" ] || pipes="$pipes $pipe"
done
# shellcheck disable=SC2086 # two paths without spaces
[ -z "$pipes" ] || chown "$owner" $pipes
exec "$@"
`;

/** Returns a command line that first gives stdout and stderr to the user who runs the machine's scripts. */
export function withOwnStreams(lease: Lease, argv: Argv): Argv {
  const [uid] = scriptOwnerIds(lease);
  return uid === 0 ? argv : ["sh", "-c", RUN_WITH_OWN_STREAMS_SCRIPT, "sh", `${uid}`, ...argv];
}
