/** Writes a stage's script to where the machine can read it, and removes it afterwards. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { INSIDE, type MachinePaths } from "../record/paths.ts";
import type { StageRun } from "./exec.ts";
import { type ScriptOwner, scriptOwnerIds } from "./script_owner.ts";
import type { Shells } from "./shells.ts";

/**
 * Writes a script that only its owner can read, and returns how to run it in the machine.
 *
 * @param script Its content, byte for byte.
 * @throws {Failure} `refused` where the name of a shell or an option holds a special character.
 */
export async function writeScript(
  host: Host,
  paths: MachinePaths,
  script: Uint8Array,
  shells: Shells,
  owner: ScriptOwner,
): Promise<StageRun> {
  refuseSpecialCharacters(shells);
  const nonce = crypto.randomUUID().replaceAll("-", "");
  // Each script has its own name: a shell reads its script while it runs, and an earlier one may still run.
  const path = scriptPath(paths.stage, nonce);
  await host.files.write(path, script, 0o500);
  const [uid, gid] = scriptOwnerIds(owner);
  if (uid !== 0) await host.files.chown(path, uid, gid);
  return {
    nonce,
    argv: [
      ...["/bin/sh", `${INSIDE}/reporter`, nonce],
      ...[...shells.programs, "--", ...shells.options],
      scriptPath(INSIDE, nonce),
    ],
    report: async () => await host.files.readEnd(paths.result, MAX_REPORT_SIZE) ?? "",
  };
}

/** systemd and shells expand some characters in a command line: none of them is allowed. */
function refuseSpecialCharacters({ programs, options }: Shells): void {
  const special = [...programs, ...options].find((word) => !PLAIN_WORD.test(word));
  if (special === undefined) return;
  throw refused(
    `Cannot run the script by ${JSON.stringify(special)}: it is not the name of a program`,
    "Name a program and plain options after #! in the script, or with --shell",
  );
}

const PLAIN_WORD = /^[A-Za-z0-9_.+=,:\/@-]+$/;

/** More bytes than the reports of all stages that could run at once. */
const MAX_REPORT_SIZE = 4096;

/** Removes the script of a stage, which may contain secrets. */
export function removeScript(host: Host, paths: MachinePaths, stage: StageRun): Promise<void> {
  return host.files.remove(scriptPath(paths.stage, stage.nonce));
}

function scriptPath(folder: string, nonce: string): string {
  return join(folder, `script-${nonce}`);
}
