/**
 * Copies an image into the store. The program that copies outlives the job that began, as long as another job waits for
 * the image.
 */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv, Ended, Host, Lock } from "../../host/host.ts";
import { diskUsage } from "../../linux/disk.ts";
import { until } from "../../linux/wait.ts";
import { formatAge } from "../../text/age.ts";
import { formatSize } from "../../text/size.ts";
import type { ImageAccess } from "../request/image_request.ts";
import type { Reference } from "../request/reference.ts";
import type { PullPaths } from "./paths.ts";
import { OWN_NAMESPACES, reasonIn, skopeoEnvironment, writePassword } from "./skopeo.ts";

/** The beginning of the name of a file that a process locks while it waits for an image. */
const WAITER_PREFIX = "job-";

/** What {@linkcode COPY_IMAGE_SCRIPT} prints where it stops since less than the reserve is free, as the kernel words it. */
const DISK_FULL = "no space left on device";

/**
 * Runs a command that copies an image, until no process waits for the image any more, or less than the reserve is free on
 * the disk: no manifest tells how much the layers unpack to.
 *
 * Arguments: the file with the password, the folder of the pull, the bytes that stay free, the command.
 */
export const COPY_IMAGE_SCRIPT = `
exec 3<"$1" || exit
rm -f -- "$1"
cd "$2" || exit
reserve=$3
shift 3
is_wanted() {
  for file in ${WAITER_PREFIX}*; do
    [ -e "$file" ] || continue
    (flock --nonblock 8) 8<"$file" || return 0
  done
  return 1
}
has_space() {
  free=$(df --block-size=1 --output=avail . | tail -n 1)
  [ "\${free:-$reserve}" -ge "$reserve" ] || ! : >scratch/full
}
exec 9>copy.lock
until flock --timeout 1 9; do
  is_wanted || exit 1
done
exec >log 2>&1
rm -rf scratch
mkdir scratch || exit
"$@" 9>&- &
copying=$!
(
  while is_wanted && has_space; do (cd / && exec sleep 0.5); done # it outlives this loop
  kill -KILL "$copying"
) 3<&- 9>&- >/dev/null 2>&1 &
watching=$!
wait "$copying"
code=$?
kill "$watching"
if [ "$code" -ne 0 ]; then
  [ ! -e scratch/full ] || echo '${DISK_FULL}'
  rm -rf scratch
fi
exit "$code"
`;

/** A process that waits for an image. */
export interface Waiter {
  /** Ends the wait; may be called again. It also ends with the process. */
  end(): Promise<void>;
}

/** Notes that this process waits for an image. */
export async function registerWaiter(host: Host, { folder }: PullPaths): Promise<Waiter> {
  const lock = await lockNewFile(host, folder);
  let hasEnded = false;
  return {
    async end() {
      if (!hasEnded) await lock?.remove();
      hasEnded = true;
    },
  };
}

/** gc may remove an empty folder just after it was made. */
async function lockNewFile(host: Host, folder: string, attempts = 5): Promise<Lock | null> {
  await host.files.makeDirectory(folder);
  try {
    return await host.files.lock(join(folder, `${WAITER_PREFIX}${crypto.randomUUID()}`));
  } catch (error) {
    if (attempts <= 1 || !(error instanceof Deno.errors.NotFound)) throw error;
    return await lockNewFile(host, folder, attempts - 1);
  }
}

/** Returns whether a process waits for an image, or copies it. Removes the files of processes that have ended. */
export async function isBeingPulled(
  host: Host,
  { folder, copyLock }: Pick<PullPaths, "folder" | "copyLock">,
): Promise<boolean> {
  const entries = await host.files.list(folder);
  const paths = entries.filter((entry) => entry.startsWith(WAITER_PREFIX))
    .map((entry) => join(folder, entry));
  for (const path of [...paths, copyLock]) {
    if (await host.files.lstat(path) === null) continue;
    const lock = await host.files.lock(path);
    if (lock === null) return true;
    await lock.remove();
  }
  return false;
}

/** One copy of an image. */
export interface Copy {
  readonly paths: PullPaths;
  readonly access: ImageAccess;
  /** Bytes of the disk that stay free. */
  readonly reserve: number;
  /** The command that copies it; it runs in namespaces of its own. */
  readonly argv: Argv;
}

/**
 * Copies an image; logs progress.
 *
 * @returns The reason why it failed; null where it did not.
 * @throws {Failure} of the host when interrupted.
 */
export async function copyImage(
  host: Host,
  { paths, access, reserve, argv }: Copy,
  waiter: Waiter,
  interrupt: AbortSignal,
): Promise<string | null> {
  const { reference } = access;
  const password = await writePassword(host, access);
  const words = [
    "sh",
    "-c",
    COPY_IMAGE_SCRIPT,
    "sh",
    password,
    paths.folder,
    `${reserve}`,
  ] as const;
  const child = host.processes.start([...words, ...OWN_NAMESPACES, ...argv], {
    env: skopeoEnvironment(host),
    cwd: "/",
    stdout: "null",
    stderr: "null",
    detached: true,
  });
  const endProgress = reportProgress(host, reference, paths);
  const ended = await untilEnded(child.ended, interrupt);
  endProgress();
  await host.files.remove(password); // it is there only if the program did not start
  if (ended === null) {
    await waiter.end();
    // It ends within a second, unless another job waits for the image.
    await Promise.race([child.ended, host.clock.sleep(END_TIMEOUT)]);
    child.unref();
    throw hostFailure(`Cannot pull image ${reference.written}: interrupted`);
  }
  if (ended.code === 0) return null;
  const output = await host.files.readEnd(paths.log, LONGEST_LOG) ?? "";
  return reasonIn(output) || `skopeo ended with ${ended.code}`;
}

/** Bytes that are read of a program's messages. */
const LONGEST_LOG = 16_384;

/** Milliseconds. */
const END_TIMEOUT = 2_000;

/** Waits for the end of a program; returns null where the wait was interrupted. */
async function untilEnded(
  ended: Promise<Ended>,
  interrupt: AbortSignal,
): Promise<Ended | null> {
  const interrupted = Promise.withResolvers<null>();
  const abort = () => interrupted.resolve(null);
  interrupt.addEventListener("abort", abort);
  if (interrupt.aborted) abort();
  try {
    return await Promise.race([ended, interrupted.promise]);
  } finally {
    interrupt.removeEventListener("abort", abort);
  }
}

/** Milliseconds between two lines about a pull. */
const PROGRESS_INTERVAL = 10_000;

/** Logs how much was downloaded, until the returned function is called. */
function reportProgress(host: Host, { written }: Reference, { scratch }: PullPaths): () => void {
  const began = host.clock.monotonic();
  let last = 0;
  let hasEnded = false;
  let cancel = () => {};
  const report = async () => {
    const bytes = await diskUsage(host, scratch).catch(() => null) ?? 0;
    if (hasEnded) return;
    const age = formatAge(Math.round((host.clock.monotonic() - began) / 1000));
    const state = bytes > last || bytes === 0 ? "downloaded" : "downloaded, unpacking it";
    host.log.info(`Pulling image ${written}: ${formatSize(bytes)} ${state} (${age})`);
    last = bytes;
    cancel = host.clock.after(PROGRESS_INTERVAL, () => void report());
  };
  cancel = host.clock.after(PROGRESS_INTERVAL, () => void report());
  return () => {
    hasEnded = true;
    cancel();
  };
}

/** Waits for the lock of a pull, which another job may hold that pulls the same image. */
export async function waitForPull(
  host: Host,
  { written }: Reference,
  { lock: path }: PullPaths,
  interrupt: AbortSignal,
): Promise<Lock> {
  const free = await host.files.lock(path);
  if (free !== null) return free;
  host.log.info(`Waiting for image ${written}, which is being pulled`);
  const wait = { interval: LOCK_INTERVAL, signal: interrupt };
  const lock = await until(host, wait, () => host.files.lock(path));
  if (lock !== null) return lock;
  throw hostFailure(`Cannot pull image ${written}: interrupted`);
}

/** Milliseconds between two tries to take the lock. */
const LOCK_INTERVAL = 100;
