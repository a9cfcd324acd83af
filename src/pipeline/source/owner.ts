/** Runs programs as the owner of a working copy: root must not run git in a repository that somebody else configured. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Captured, Host } from "../../host/host.ts";
import { toFile } from "../../linux/redirect.ts";

/** The owner of a working copy. */
export interface Owner {
  /** The words before a command that runs it as this user. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Returns the owner of a folder.
 *
 * @throws {Failure} of the host where there is no such folder.
 */
export async function ownerOf(host: Host, folder: string): Promise<Owner> {
  const stat = await host.files.stat(folder);
  if (stat?.kind !== "directory") {
    throw hostFailure(`Cannot read the working copy ${folder}: no such folder`);
  }
  const { stdout } = await host.processes.capture(["getent", "passwd", `${stat.uid}`]);
  const [name, , , gid, , home] = stdout.trim().split(":");
  const environment = {
    PATH: host.env("PATH") ?? "/usr/bin:/bin",
    HOME: home ?? "/",
    LC_ALL: "C.UTF-8",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
  };
  if (stat.uid === host.uid()) return { argv: [], environment };
  const groups = name ? [`--regid=${gid}`, "--init-groups"] : ["--clear-groups"];
  return { argv: ["setpriv", `--reuid=${stat.uid}`, ...groups, "--"], environment };
}

/** Runs a shell program as the owner. */
export async function runAsOwner(
  host: Host,
  { argv, environment }: Owner,
  script: string,
  words: readonly string[],
): Promise<Captured> {
  return await host.processes.capture(asOwner(argv, script, words), { env: environment });
}

/** Runs a shell program as the owner, with its stdout in a file of root; returns its messages. */
export async function writeAsOwner(
  host: Host,
  { argv, environment }: Owner,
  file: string,
  script: string,
  words: readonly string[],
): Promise<Captured> {
  const command = toFile(file, asOwner(argv, script, words));
  return await host.processes.capture(command, { env: environment });
}

function asOwner(argv: readonly string[], script: string, words: readonly string[]): Argv {
  const [program = "sh", ...before] = argv;
  const shell = ["sh", "-c", script, "sh", ...words];
  return argv.length === 0 ? [program, ...shell.slice(1)] : [program, ...before, ...shell];
}
