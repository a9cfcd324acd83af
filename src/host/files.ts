import { basename, dirname, join } from "@std/path/posix";
import type { Files, Lock, Stat } from "./host.ts";

/**
 * The real file system.
 *
 * @returns Files by Deno's own functions.
 */
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
  };
}

async function readEnd(path: string, bytes: number): Promise<string> {
  using file = await Deno.open(path);
  const size = await file.seek(0, Deno.SeekMode.End); // stat() would read the time zone for its dates
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
  await Deno.chmod(path, mode); // the umask does not decide, nor what was there before
}

async function replace(path: string, text: string, mode = 0o600): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${Deno.pid}`);
  try {
    using file = await openToWrite(aside, mode);
    await writeAll(file, text);
    await file.sync();
    await Deno.rename(aside, path);
  } catch (error) {
    await ignoreMissing(Deno.remove(aside));
    throw error;
  }
}

function openToWrite(path: string, mode: number): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, create: true, truncate: true, mode });
}

/** Deno.writeFile() would load its streams first, which takes longer than to write. */
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
    if (!(error instanceof Deno.errors.NotFound)) throw error;
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
    // Who held it before may have removed the file: a lock on what is not there locks nobody out.
    const [own, there] = await Promise.all([file.stat(), orNull(() => Deno.stat(path))]);
    if (own.ino !== there?.ino || own.dev !== there.dev) {
      file.close();
      continue;
    }
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    return {
      wasLeft: own.size > 0,
      release: () => file.close(),
      remove: async () => {
        await ignoreMissing(Deno.remove(path));
        file.close();
      },
    };
  }
}

/** A kernel lock ends with the process that holds it, however that process ends. */
async function lockFile(file: Deno.FsFile): Promise<boolean> {
  // Older Denos only wait.
  const held = "tryLock" in file ? await file.tryLock(true) : await lockSoon(file);
  if (!held) file.close();
  return held;
}

/** Longest wait for a lock that nobody holds, in milliseconds. */
const LOCK_PATIENCE = 300;

async function lockSoon(file: Deno.FsFile): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), LOCK_PATIENCE);
  });
  // A lock that is given later, unasked, goes with the file.
  const locking = file.lock(true).then(() => true, () => false);
  const held = await Promise.race([locking, patience]);
  clearTimeout(timer);
  return held;
}
