/** Finds out what this host can do, by trying it. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { whileProbing } from "./lock.ts";

/** What is probed, on which file system. */
export interface ProbeRequest {
  readonly topic: "idmap" | "overlay" | "shift" | "tree";
  /** A path on the file system. */
  readonly path: string;
  /** The store of the machines that need the answer. */
  readonly store: string;
  /** The id of this boot: an answer of another boot does not count. */
  readonly boot: string;
  /** When aborted, ends the wait for another process's attempt. */
  readonly interrupt?: AbortSignal | undefined;
}

/** Returns the file that says in which boot machines of a store could have user ids of their own. */
async function ownIdsFile(host: Host, store: string): Promise<string> {
  return join(RUNTIME_FOLDER, `.own-ids-${(await host.files.stat(store))?.dev ?? 0}`);
}

/** A folder in which attempts mount. */
export const PROBE_MOUNT_POINT = join(RUNTIME_FOLDER, ".probe");

/**
 * Returns whether the host can do something on a file system, by one attempt. The answer is stored until the host
 * reboots; of several processes that need it at once, one makes the attempt and the others wait.
 *
 * @throws {Failure} of the host where the attempt proved nothing, or the path was removed meanwhile.
 */
export async function probe(
  host: Host,
  { topic, path, store, boot, interrupt }: ProbeRequest,
  attempt: () => Promise<boolean>,
): Promise<boolean> {
  const file = join(RUNTIME_FOLDER, `.${topic}-${(await host.files.stat(path))?.dev ?? 0}`);
  const known = await readAnswer(host, file, boot);
  if (known !== null) return known;
  return await whileProbing(host, async () => {
    const known = await readAnswer(host, file, boot);
    if (known !== null) return known; // another process was faster
    await host.files.makeDirectory(PROBE_MOUNT_POINT);
    const can = await attempt();
    if (!can && await host.files.stat(path) === null) {
      throw hostFailure(
        `Cannot find out what the file system of ${path} can do: it was removed`,
        "Try again",
      );
    }
    await host.files.replace(file, `${can ? YES : NO} ${boot}\n`);
    // A tree that is built may have mapped owners where the layers of jobs cannot.
    if (can && topic !== "overlay" && topic !== "tree") {
      await host.files.replace(await ownIdsFile(host, store), `${boot}\n`);
    }
    return can;
  }, interrupt);
}

const YES = "yes";
const NO = "no";

async function readAnswer(host: Host, file: string, boot: string): Promise<boolean | null> {
  const [answer, of] = (await host.files.read(file) ?? "").trim().split(" ");
  return of !== boot ? null : answer === YES ? true : answer === NO ? false : null;
}

/** Returns whether machines of a store could have user ids of their own earlier in this boot. */
export async function couldOwnIds(host: Host, store: string, boot: string): Promise<boolean> {
  return (await host.files.read(await ownIdsFile(host, store)))?.trim() === boot;
}

/**
 * Shows first that a file system can be mounted, so that a failure after that is the host's inability. Arguments: an
 * empty folder, the command.
 */
export const CONTROL_SCRIPT =
  'mount -t tmpfs control "$1" && umount "$1" && echo "control succeeded" >&2 || exit 1; shift; exec "$@"';

/** What programs print where the host lacks something for a moment: ENOSPC, ENOMEM, EAGAIN, EMFILE, ENFILE. */
const SHORTAGE =
  /No space left on device|Cannot allocate memory|Resource temporarily unavailable|Too many open files|[Cc]annot fork/;

/**
 * Runs an attempt in a mount namespace of its own.
 *
 * @param argv The command; it may mount on {@linkcode PROBE_MOUNT_POINT}.
 * @param isRight Returns whether the output shows that the host can do it.
 * @throws {Failure} of the host where the attempt proves nothing: it was killed, nothing at all can be mounted, or the
 *   host lacks memory, processes or namespaces at this moment.
 */
export async function attemptInOwnMounts(
  host: Host,
  argv: readonly string[],
  isRight: (stdout: string) => boolean,
): Promise<boolean> {
  const control = ["sh", "-c", CONTROL_SCRIPT, "sh", PROBE_MOUNT_POINT] as const;
  const { code, stdout, stderr } = await host.processes.capture(
    ["unshare", "--mount", "--propagation=private", ...control, ...argv],
  );
  if (code === 0) return isRight(stdout);
  const reason = code > 128
    ? "interrupted"
    : !stderr.includes("control succeeded") || SHORTAGE.test(stderr)
    ? stderr.replace("control succeeded", "").trim().split("\n")[0] || `mount ended with ${code}`
    : null;
  if (reason === null) return false;
  throw hostFailure(`Cannot find out what this host can do: ${reason}`, "Try again");
}
