/** Runs programs as the owner of a working copy: root must not run git in a repository that somebody else configured. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Captured, Host } from "../../host/host.ts";
import { toFile } from "../../linux/redirect.ts";
import { TOOL_PATH } from "../../linux/tool.ts";

/** The owner of a working copy. */
export interface Owner {
  readonly uid: number;
  /** The words before a command that runs it as this user, apart from the terminal of this process. */
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
    PATH: TOOL_PATH,
    HOME: home ?? "/",
    LC_ALL: "C.UTF-8",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
  };
  return { uid: stat.uid, argv: [...APART, ...userWords(host, stat.uid, name, gid)], environment };
}

/** In a session of its own, a program cannot write what the terminal of root then reads: TIOCSTI in ioctl_tty(2). */
const APART = ["setsid", "--wait"];

/** The group of a user whom the host does not know; that of root must not stay. */
const NO_GROUP = 65534;

function userWords(host: Host, uid: number, name?: string, gid?: string): readonly string[] {
  if (uid === host.uid()) return [];
  const groups = name
    ? [`--regid=${gid}`, "--init-groups"]
    : [`--regid=${NO_GROUP}`, "--clear-groups"];
  return ["setpriv", `--reuid=${uid}`, ...groups, "--"];
}

/** A shell program, and its arguments. */
export interface OwnerProgram {
  readonly script: string;
  readonly words: readonly string[];
  /** Ends it with all that it has started. */
  readonly interrupt: AbortSignal | undefined;
}

/** Runs a shell program as the owner. */
export async function runAsOwner(
  host: Host,
  owner: Owner,
  program: OwnerProgram,
): Promise<Captured> {
  return await capture(host, owner, program, asOwner(owner, program));
}

/**
 * Runs a shell program as the owner, with its stdout in a file of root; returns its messages.
 *
 * @param limit Bytes that the file may have; undefined for no limit.
 */
export async function writeAsOwner(
  host: Host,
  owner: Owner,
  program: OwnerProgram,
  file: string,
  limit: number | undefined,
): Promise<Captured> {
  return await capture(host, owner, program, toFile(file, asOwner(owner, program), limit));
}

async function capture(
  host: Host,
  { environment }: Owner,
  { interrupt }: OwnerProgram,
  argv: Argv,
): Promise<Captured> {
  const signal = interrupt === undefined ? {} : { signal: interrupt };
  return await host.processes.capture(argv, { env: environment, ...signal });
}

function asOwner({ argv }: Owner, { script, words }: OwnerProgram): Argv {
  const shell = ["sh", "-c", SESSION_SCRIPT, "sh", "sh", "-c", script, "sh", ...words];
  return [...argv, ...shell] as unknown as Argv;
}

/** Runs its arguments, and ends the session at SIGTERM: a shell alone would first wait for its command. */
export const SESSION_SCRIPT = `trap 'trap : TERM; kill -TERM 0; wait; exit 143' TERM
"$@" &
wait $!
`;
