/** The host's programs with which a command drops privileges as it enters a machine: setpriv and chroot. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { droppedCapabilities, type PrivilegeSpec } from "../nspawn/privileges.ts";

/**
 * Copies setpriv and chroot with their libraries from the host into a folder, where a machine needs them.
 *
 * The machine's own programs would run with every capability, and a job can replace them.
 *
 * @throws {Failure} `host` where the host lacks these programs.
 */
export async function copyEntryTools(
  host: Host,
  machine: PrivilegeSpec,
  folder: string,
): Promise<void> {
  if (machine.booted || !droppedCapabilities(machine).includes("CAP_SYS_ADMIN")) return;
  const argv = ["sh", "-euc", COPY_ENTRY_TOOLS_SCRIPT, "sh", folder] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) {
    throw hostFailure(
      `Cannot copy setpriv and chroot for the machine: ${stderr.trim()}`,
      "They come with util-linux and coreutils, and ldd with libc",
    );
  }
}

/** Argument: the folder. Each file gets the same path in the folder that it has on the host. */
export const COPY_ENTRY_TOOLS_SCRIPT = `
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

/**
 * Returns a command line that runs a command in a detached, read-only mount of the tools' folder.
 *
 * `..` does not lead out of that mount. A job can change what `/` means in its machine, so that the tools are never
 * looked up there.
 */
export function withToolsAsRoot(folder: string, argv: Argv): Argv {
  return [
    ...["unshare", "--mount", "--propagation=slave"] as const,
    ...["sh", "-c", RUN_IN_TOOLS_FOLDER_SCRIPT, "sh", folder],
    ...argv,
  ];
}

/** Arguments: the folder, the command. */
export const RUN_IN_TOOLS_FOLDER_SCRIPT = `
tools=$1
shift
mount --bind --read-only "$tools" "$tools" && cd "$tools" && umount --lazy "$tools" && exec "$@"
`;
