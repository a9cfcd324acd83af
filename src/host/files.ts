/** The file system, through Deno. */

import { basename, dirname, join } from "@std/path/posix";
import type { Files, Lock, Pipe, Stat } from "./host.ts";

/**
 * Returns the file system of this machine. All calls but those that may take long block the process: to begin one in
 * another thread takes ten times as long as to read a small file.
 */
export function denoFiles(): Files {
  return {
    read: (path) => orNull(() => Deno.readTextFileSync(path)),
    readBytes: (path) => orNull(() => Deno.readFileSync(path)),
    readPipe: (path) => Deno.readTextFile(path),
    readStart: (path, bytes) => orNull(() => readPart(path, bytes, 0)),
    readEnd: (path, bytes) => orNull(() => readEnd(path, bytes)),
    replace: (path, text, mode) => replace(path, text, (file) => file.sync(), mode),
    replaceVolatile: (path, text) => replace(path, text, () => {}),
    write: (path, content, mode) => now(() => write(path, content, mode)),
    append: (path, text, mode) => now(() => append(path, text, mode)),
    makeDirectory: (path, mode = 0o700) =>
      now(() => Deno.mkdirSync(path, { recursive: true, mode })),
    list: (path) => now(() => list(path)),
    lstat: (path) => orNull(() => statOf(Deno.lstatSync(path))),
    stat: (path) => orNull(() => statOf(Deno.statSync(path))),
    real: (path) => orNull(() => Deno.realPathSync(path)),
    readLink: (path) => orNull(() => readLink(path)),
    remove: (path) => now(() => remove(path)),
    removeTree: (path) => Deno.remove(path, { recursive: true }).catch(ignoreMissing),
    rename: (from, to) => now(() => Deno.renameSync(from, to)),
    symlink: (target, path) => now(() => Deno.symlinkSync(target, path)),
    link: (from, to) => now(() => Deno.linkSync(from, to)),
    touch: (path, time) => now(() => Deno.utimeSync(path, new Date(time), new Date(time))),
    chmod: (path, mode) => now(() => Deno.chmodSync(path, mode)),
    chown: (path, uid, gid) => now(() => Deno.chownSync(path, uid, gid)),
    temporaryDirectory: (prefix) => now(() => Deno.makeTempDirSync({ prefix })),
    lock,
    openPipe: (path) => now(() => openPipe(path)),
  };
}

/** Acts at once; what it throws rejects the promise. */
function now<T>(act: () => T): Promise<T> {
  return new Promise((resolve) => resolve(act()));
}

function readEnd(path: string, bytes: number): string {
  return new TextDecoder().decode(readPart(path, bytes, "end"));
}

function readPart(path: string, bytes: number, from: 0 | "end"): Uint8Array {
  using file = Deno.openSync(path);
  if (from === "end") {
    const size = file.seekSync(0, Deno.SeekMode.End); // stat() would load the time zone for its dates
    file.seekSync(Math.max(0, size - bytes), Deno.SeekMode.Start);
  }
  const buffer = new Uint8Array(bytes);
  let filled = 0;
  while (filled < bytes) {
    const read = file.readSync(buffer.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return buffer.subarray(0, filled);
}

function write(path: string, content: string | Uint8Array, mode = 0o600): void {
  if (typeof content === "string") Deno.writeTextFileSync(path, content, { mode });
  else Deno.writeFileSync(path, content, { mode });
  Deno.chmodSync(path, mode); // neither the umask nor the mode of an existing file counts
}

function append(path: string, text: string, mode?: number): boolean {
  const options = mode === undefined ? { create: false } : { mode };
  const write = () => Deno.writeTextFileSync(path, text, { append: true, ...options });
  return unlessMissing(() => (write(), true)) ?? false;
}

/** The new files that this process writes at this moment. */
const unfinished = new Set<string>();

/** Returns the path of a new file; the process may replace a file several times at once. */
function newFileFor(path: string): string {
  const first = join(dirname(path), `.${basename(path)}.${Deno.pid}`);
  let newFile = first;
  for (let number = 2; unfinished.has(newFile); number++) newFile = `${first}-${number}`;
  unfinished.add(newFile);
  return newFile;
}

async function replace(
  path: string,
  text: string,
  sync: (file: Deno.FsFile) => Promise<void> | void,
  mode = 0o600,
): Promise<void> {
  const newFile = newFileFor(path);
  try {
    using file = writtenFile(newFile, text, mode);
    await sync(file);
    await now(() => Deno.renameSync(newFile, path));
  } catch (error) {
    await now(() => remove(newFile));
    throw error;
  } finally {
    unfinished.delete(newFile);
  }
}

/** Opens a new file. Another user of its folder may have put a symlink in its place, and a killed process a file. */
function openNew(path: string, mode: number): Deno.FsFile {
  const options = { write: true, createNew: true, mode } as const;
  try {
    return Deno.openSync(path, options);
  } catch {
    remove(path);
    return Deno.openSync(path, options);
  }
}

/** Writes a new file and leaves it open. */
function writtenFile(path: string, text: string, mode: number): Deno.FsFile {
  const file = openNew(path, mode);
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function readLink(path: string): string | null {
  return Deno.lstatSync(path).isSymlink ? Deno.readLinkSync(path) : null;
}

function list(path: string): string[] {
  return unlessMissing(() => [...Deno.readDirSync(path)].map(({ name }) => name).sort()) ?? [];
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    ignoreMissing(error);
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function statOf(info: Deno.FileInfo): Stat {
  const kind = info.isFile
    ? "file"
    : info.isDirectory
    ? "directory"
    : info.isSymlink
    ? "symlink"
    : "other";
  return {
    kind,
    size: info.size,
    mode: info.mode ?? 0,
    uid: info.uid ?? 0,
    dev: info.dev,
    ino: info.ino ?? 0,
    modified: info.mtime,
    born: info.birthtime,
  };
}

function orNull<T>(read: () => T): Promise<T | null> {
  return now(() => unlessMissing(read) ?? null);
}

/** Returns undefined where the file is missing. */
function unlessMissing<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

async function lock(path: string, purpose?: string): Promise<Lock | null> {
  for (;;) {
    const file = openLock(path);
    if (!await lockFile(file)) return null;
    const lock = lockOn(file, path, purpose);
    if (lock !== null) return lock;
    file.close();
  }
}

function openLock(path: string): Deno.FsFile {
  return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
}

/** Takes a lock of the kernel, which ends with this process however it ends. */
async function lockFile(file: Deno.FsFile): Promise<boolean> {
  // Older versions of Deno have no tryLock().
  const held = "tryLockSync" in file ? tryLock(file) : await lockSoon(file);
  if (!held) file.close();
  return held;
}

function tryLock(file: Deno.FsFile): boolean {
  return file.tryLockSync(true);
}

/**
 * Returns the lock on an open file that this process has locked; null where the last holder has removed the file meanwhile:
 * a lock on a removed file excludes no other process.
 */
function lockOn(file: Deno.FsFile, path: string, purpose?: string): Lock | null {
  const [locked, existing] = [file.statSync(), unlessMissing(() => Deno.statSync(path))];
  if (locked.ino !== existing?.ino || locked.dev !== existing.dev) return null;
  file.truncateSync();
  const holder = purpose === undefined ? Deno.pid : `${Deno.pid} ${purpose}`;
  file.writeSync(new TextEncoder().encode(`${holder}\n`));
  return {
    wasAbandoned: locked.size > 0,
    release() {
      // A process that another thread is starting has the file until it runs its program.
      file.unlockSync();
      file.close();
    },
    remove: () =>
      now(() => {
        remove(path);
        file.close();
      }),
  };
}

/** How long a lock that no process holds may take, in milliseconds. */
const LOCK_TIMEOUT = 300;

async function lockSoon(file: Deno.FsFile): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), LOCK_TIMEOUT);
  });
  // A lock that is taken after the time-out ends when the caller closes the file.
  const locking = file.lock(true).then(() => true, () => false);
  const held = await Promise.race([locking, timeout]);
  clearTimeout(timer);
  return held;
}

/** A pipe that is opened to read as well has a reader already: fifo(7). */
function openPipe(path: string): Pipe {
  const file = Deno.openSync(path, { read: true, write: true });
  let isOpen = true;
  return {
    // Asynchronous, since a full pipe whose reader has stopped would block the program.
    write: (text) => writeAll(file, new TextEncoder().encode(text)),
    close() {
      if (isOpen) file.close();
      isOpen = false;
    },
  };
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
