import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { type PrivilegeSpec, droppedCapabilities } from "../nspawn/privileges.ts";

/**
 * Lays out the programs that drop what a machine must not have when a command enters it. They are the host's
 * own, with all that they load: those of the machine are a job's to change, and would run with everything.
 *
 * @param host The outside.
 * @param machine Whose.
 * @param folder Where; it stays away where commands enter without.
 * @throws {Failure} of the host where it has no such programs.
 */
export async function copyEntryTools(host: Host, machine: PrivilegeSpec, folder: string): Promise<void> {
  if (machine.booted || !droppedCapabilities(machine).includes("CAP_SYS_ADMIN")) return;
  const { code, stderr } = await host.processes.capture(["sh", "-euc", COPY_ENTRY_TOOLS, "sh", folder]);
  if (code !== 0) {
    throw hostFailure(
      `Cannot copy setpriv and chroot for the machine: ${stderr.trim()}`,
      "They come with util-linux and coreutils, and ldd with libc",
    );
  }
}

/**
 * A command line that runs another one where nothing but the tools is to be seen: a mount that is nobody's, so
 * that no `..` leads out of it, and that nobody writes to. What the machine itself calls its root a job can
 * change: the tools are not looked up there.
 *
 * @param folder Where the tools are.
 * @param argv What runs there, in that folder.
 * @returns The words.
 */
export function withToolsAsRoot(folder: string, argv: Argv): Argv {
  return ["unshare", "--mount", "--propagation=slave", "sh", "-c", RUN_IN_TOOLS_FOLDER, "sh", folder, ...argv];
}

/** Words: the folder, the command. */
const RUN_IN_TOOLS_FOLDER = `
tools=$1
shift
mount --bind --read-only "$tools" "$tools" && cd "$tools" && umount --lazy "$tools" && exec "$@"
`;

/** Words: the folder. Each file has the path there that it has on the host. */
const COPY_ENTRY_TOOLS = `
mkdir -p "$1"
for program in setpriv chroot; do
  path=$(command -v "$program")
  libraries=$(ldd "$path")
  echo "$path"
  echo "$libraries" | sed -n 's|^[^/]*\\(/[^ ]*\\) (0x.*|\\1|p'
done >"$1/list"
sort -u "$1/list" | while read -r file; do
  cp --dereference --parents "$file" "$1"
done
rm "$1/list"
`;
