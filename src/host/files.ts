/** The file system, through Deno. */

import { basename, dirname, join } from "@std/path/posix";
import type { Files, Lock, Pipe, Stat } from "./host.ts";

/** Returns the file system of this machine. */
export function denoFiles(): Files {
  return {
    read: (path) => orNull(() => Deno.readTextFile(path)),
    readBytes: (path) => orNull(() => Deno.readFile(path)),
    readEnd: (path, bytes) => orNull(() => readEnd(path, bytes)),
    replace,
    write,
    makeDirectory: (path, mode = 0o700) => Deno.mkdir(path, { recursive: true, mode }),
    list,
    lstat: (path) => orNull(async () => statOf(await Deno.lstat(path))),
    stat: (path) => orNull(async () => statOf(await Deno.stat(path))),
    real: (path) => orNull(() => Deno.realPath(path)),
    readLink,
    remove: (path) => ignoreMissing(Deno.remove(path)),
    removeTree: (path) => ignoreMissing(Deno.remove(path, { recursive: true })),
    rename: (from, to) => Deno.rename(from, to),
    symlink: (target, path) => Deno.symlink(target, path),
    touch: (path, time) => Deno.utime(path, new Date(time), new Date(time)),
    chmod: (path, mode) => Deno.chmod(path, mode),
    chown: (path, uid, gid) => Deno.chown(path, uid, gid),
    temporaryDirectory: (prefix) => Deno.makeTempDir({ prefix }),
    lock,
    openPipe,
  };
}

async function readEnd(path: string, bytes: number): Promise<string> {
  using file = await Deno.open(path);
  const size = await file.seek(0, Deno.SeekMode.End); // stat() would load the time zone for its dates
  await file.seek(Math.max(0, size - bytes), Deno.SeekMode.Start);
  const buffer = new Uint8Array(bytes);
  let filled = 0;
  while (filled < bytes) {
    const read = await file.read(buffer.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return new TextDecoder().decode(buffer.subarray(0, filled));
}

async function write(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  using file = await openToWrite(path, mode);
  await writeAll(file, content);
  await Deno.chmod(path, mode); // neither the umask nor the mode of an existing file counts
}

async function replace(path: string, text: string, mode = 0o600): Promise<void> {
  const newFile = join(dirname(path), `.${basename(path)}.${Deno.pid}`);
  try {
    using file = await openToWrite(newFile, mode);
    await writeAll(file, text);
    await file.sync();
    await Deno.rename(newFile, path);
  } catch (error) {
    await ignoreMissing(Deno.remove(newFile));
    throw error;
  }
}

function openToWrite(path: string, mode: number): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, create: true, truncate: true, mode });
}

/** Unlike Deno.writeFile(), it loads no streams, which would take longer than to write. */
async function writeAll(file: Deno.FsFile, content: string | Uint8Array): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function readLink(path: string): Promise<string | null> {
  const isLink = (await orNull(() => Deno.lstat(path)))?.isSymlink ?? false;
  return isLink ? await orNull(() => Deno.readLink(path)) : null;
}

async function list(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) names.push(entry.name);
  } catch (error) {
    const isNone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (!isNone) throw error;
  }
  return names.sort();
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

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}

async function ignoreMissing(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function lock(path: string): Promise<Lock | null> {
  for (;;) {
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    if (!await lockFile(file)) return null;
    // The last holder may have removed the file meanwhile: a lock on a removed file excludes no other process.
    const [locked, existing] = await Promise.all([file.stat(), orNull(() => Deno.stat(path))]);
    if (locked.ino !== existing?.ino || locked.dev !== existing.dev) {
      file.close();
      continue;
    }
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    return {
      wasAbandoned: locked.size > 0,
      release() {
        // A process that another thread is starting has the file until it runs its program.
        file.unlockSync();
        file.close();
      },
      remove: async () => {
        await ignoreMissing(Deno.remove(path));
        file.close();
      },
    };
  }
}

/** Takes a lock of the kernel, which ends with this process however it ends. */
async function lockFile(file: Deno.FsFile): Promise<boolean> {
  // Older versions of Deno have no tryLock().
  const held = "tryLock" in file ? await file.tryLock(true) : await lockSoon(file);
  if (!held) file.close();
  return held;
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
async function openPipe(path: string): Promise<Pipe> {
  const file = await Deno.open(path, { read: true, write: true });
  let isOpen = true;
  return {
    write: (text) => writeAll(file, text),
    close() {
      if (isOpen) file.close();
      isOpen = false;
    },
  };
}
