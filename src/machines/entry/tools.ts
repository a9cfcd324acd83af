import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Bind } from "../folders.ts";
import { TOOLS } from "../paths.ts";
import { type Privileged, withheld } from "../privileges.ts";

/**
 * The programs that drop what a machine must not have when a command enters it. They are the host's own, with
 * all that they load: those of the machine are a job's to change, and would run with everything.
 *
 * @param host The outside.
 * @param machine Whose.
 * @param folder The machine's own folder.
 * @returns What the machine sees of them; nothing where commands enter without.
 * @throws {Failure} of the host where it has no such programs.
 */
export async function entryTools(
  host: Host,
  machine: Privileged,
  folder: string,
): Promise<Bind[]> {
  if (machine.booted || !withheld(machine).includes("CAP_SYS_ADMIN")) return [];
  const from = toolsIn(folder);
  const { code, stderr } = await host.processes.capture(["sh", "-euc", COPY, "sh", from]);
  if (code !== 0) {
    throw hostFailure(
      `Cannot copy setpriv and chroot for the machine: ${stderr.trim()}`,
      "They come with util-linux and coreutils, and ldd with libc",
    );
  }
  return [{ from, to: TOOLS, readOnly: true, sameOwners: false }];
}

/**
 * Where the host has them.
 *
 * @param folder The machine's own folder.
 * @returns An absolute path.
 */
export function toolsIn(folder: string): string {
  return join(folder, "tools");
}

/** Words: the folder. Each file has the path there that it has on the host. */
const COPY = `
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
