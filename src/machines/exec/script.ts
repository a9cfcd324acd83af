/** Writes a stage's script and request to where the machine can read them, and removes them afterwards. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { StageKind } from "../../gitlab/stages.ts";
import type { Host } from "../../host/host.ts";
import { CHANNEL } from "../record/channel.ts";
import type { MachinePaths } from "../record/paths.ts";
import { type ScriptOwner, scriptOwnerIds } from "./script_owner.ts";
import type { Shells } from "./shells.ts";

/** Whether a script has one pipe for its output and its messages, which keeps their order, or one for each. */
export type Streams = "one" | "both";

/** A stage whose script is where the machine can read it. */
export interface StageRun {
  /** Marks the stage's own lines in the report: hexadecimal digits that nobody can guess beforehand. */
  readonly nonce: string;
  readonly streams: Streams;
  readonly paths: MachinePaths;
  readonly hasVariables: boolean;
}

/** A script, and how to run it. */
export interface Script {
  /** Its content, byte for byte. */
  readonly bytes: Uint8Array;
  readonly shells: Shells;
  readonly streams: Streams;
  readonly kind: StageKind;
  /** Variables for the entrypoint of an image, as functions of a shell: variables.ts. */
  readonly variables?: string;
}

/**
 * Writes a script that only its owner can read, and the request to run it.
 *
 * @throws {Failure} `refused` where the name of a shell or an option holds a special character.
 */
export async function writeStage(
  host: Host,
  paths: MachinePaths,
  { bytes, shells, streams, kind, variables }: Script,
  owner: ScriptOwner,
): Promise<StageRun> {
  refuseSpecialCharacters(shells);
  const nonce = crypto.randomUUID().replaceAll("-", "");
  // Each script has its own name: a shell reads its script while it runs, and an earlier one may still run.
  const path = scriptPath(paths, nonce);
  const request = join(paths.stage, CHANNEL.request);
  const lines = [
    `${nonce} ${streams} ${kind}`,
    shells.programs.join(" "),
    shells.options.join(" "),
  ];
  await Promise.all([
    writeOwned(host, path, bytes, scriptOwnerIds(owner), 0o500),
    ...(variables === undefined
      ? []
      : [writeOwned(host, variablesPath(paths, nonce), variables, scriptOwnerIds(owner))]),
    writeOwned(host, request, lines.join("\n") + "\n", scriptOwnerIds({ ...owner, user: null })),
  ]);
  return { nonce, streams, paths, hasVariables: variables !== undefined };
}

async function writeOwned(
  host: Host,
  path: string,
  content: Uint8Array | string,
  [uid, gid]: readonly [number, number],
  mode?: number,
): Promise<void> {
  await host.files.write(path, content, mode);
  if (uid !== 0) await host.files.chown(path, uid, gid);
}

/** The machine's shell splits and expands words: no special character is allowed. */
function refuseSpecialCharacters({ programs, options }: Shells): void {
  const special = [...programs, ...options].find((word) => !PLAIN_WORD.test(word));
  if (special === undefined) return;
  throw refused(
    `Cannot run the script by ${JSON.stringify(special)}: it is not the name of a program`,
    "Name a program and plain options after #! in the script, or with --shell",
  );
}

const PLAIN_WORD = /^[A-Za-z0-9_.+=,:\/@-]+$/;

/** Removes the script of a stage, which may contain secrets, and the request. */
export async function removeStage(
  host: Host,
  { paths, nonce, hasVariables }: StageRun,
): Promise<void> {
  await host.files.remove(join(paths.stage, CHANNEL.request));
  await host.files.remove(scriptPath(paths, nonce));
  if (hasVariables) await host.files.remove(variablesPath(paths, nonce));
}

function scriptPath({ stage }: MachinePaths, nonce: string): string {
  return join(stage, `script-${nonce}`);
}

function variablesPath({ stage }: MachinePaths, nonce: string): string {
  return join(stage, `variables-${nonce}`);
}
