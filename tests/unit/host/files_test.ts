import assert from "node:assert/strict";
import { denoFiles } from "../../../src/host/files.ts";
import { inFolder } from "../recording_host.ts";

const files = denoFiles();
const modeOf = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

for (const name of ["replace", "replaceVolatile"] as const) {
  Deno.test(`files.${name}() is atomic for readers`, async () => {
    await inFolder(async (folder) => {
      const files = denoFiles();
      const path = `${folder}/file`;
      const texts = ["a".repeat(300_000), "b".repeat(200_000)];
      await files[name](path, texts[0]!);
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
      let replacing = true;
      let reads = 0;
      const writer = (async () => {
        for (let n = 1; n <= 20 || reads < 2; n++) {
          await files[name](path, texts[n % 2]!);
          await Deno.lstat(path); // lets the reader go on
        }
        replacing = false;
      })();
      while (replacing) {
        const text = await Deno.readTextFile(path);
        assert.ok(texts.includes(text), `${text.length}`);
        reads++;
      }
      await writer;
      assert.deepEqual(await files.list(folder), ["file"]);
    });
  });
}

Deno.test("files.replace() may replace a file several times at once", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Promise.all(["a", "b", "c"].map((text) => files.replace(path, text)));
    assert.match(await Deno.readTextFile(path), /^[abc]$/);
    assert.deepEqual(await files.list(folder), ["file"]);
  });
});

Deno.test("files.replace() replaces a symlink, not its target", async () => {
  await inFolder(async (folder) => {
    const files = denoFiles();
    await Deno.writeTextFile(`${folder}/precious`, "old");
    await files.symlink(`${folder}/precious`, `${folder}/link`);
    await files.replace(`${folder}/link`, "new");
    assert.equal(await files.read(`${folder}/precious`), "old");
    assert.equal((await files.lstat(`${folder}/link`))?.kind, "file");
  });
});

Deno.test("files.replace() follows no symlink in the place of its new file", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/precious`, "old");
    for (const replace of [files.replace, files.replaceVolatile]) {
      await files.symlink(`${folder}/precious`, `${folder}/.file.${Deno.pid}`);
      await replace(`${folder}/file`, "new");
      assert.equal(await files.read(`${folder}/precious`), "old");
      assert.equal(await files.read(`${folder}/file`), "new");
    }
    assert.deepEqual(await files.list(folder), ["file", "precious"]);
  });
});

Deno.test("files.removeTree() follows no symlink out of the tree", async () => {
  await inFolder(async (folder) => {
    const files = denoFiles();
    await files.makeDirectory(`${folder}/outside`);
    await files.write(`${folder}/outside/precious`, "x");
    await files.makeDirectory(`${folder}/tree/a`);
    await files.symlink(`${folder}/outside`, `${folder}/tree/a/link`);
    await files.removeTree(`${folder}/tree`);
    assert.equal(await files.read(`${folder}/outside/precious`), "x");
    assert.equal(await files.lstat(`${folder}/tree`), null);
  });
});

Deno.test("files.write() and files.replace() set the mode in spite of the umask and of an existing file", async () => {
  await inFolder(async (folder) => {
    const old = Deno.umask(0o777);
    try {
      await files.write(`${folder}/a`, "1", 0o755);
      await files.replace(`${folder}/b`, "1");
    } finally {
      Deno.umask(old);
    }
    assert.equal(await modeOf(`${folder}/a`), 0o755);
    assert.ok((await modeOf(`${folder}/b`) & 0o077) === 0, "nobody else reads it");
    await files.write(`${folder}/a`, new Uint8Array([0xff, 0]), 0o600);
    assert.equal(await modeOf(`${folder}/a`), 0o600);
    assert.deepEqual(await files.readBytes(`${folder}/a`), new Uint8Array([0xff, 0]));
  });
});

Deno.test("files.replace() that fails leaves the old file and no other one", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/taken/inside`, { recursive: true });
    await assert.rejects(files.replace(`${folder}/taken`, "x"));
    assert.deepEqual(await files.list(folder), ["taken"]);
  });
});

Deno.test("files.readEnd() reads no more than the given bytes of a large file", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "x".repeat(100_000) + "end");
    assert.equal(await files.readEnd(path, 5), "xxend");
    await Deno.writeTextFile(path, "ab");
    assert.equal(await files.readEnd(path, 5), "ab");
    assert.equal(await files.readEnd(`${folder}/none`, 5), null);
  });
});

Deno.test("files.readStart() reads no more than the given bytes of a large file", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "start" + "x".repeat(100_000));
    assert.deepEqual(await files.readStart(path, 6), new TextEncoder().encode("startx"));
    await Deno.writeTextFile(path, "ab");
    assert.deepEqual(await files.readStart(path, 5), new TextEncoder().encode("ab"));
    assert.equal(await files.readStart(`${folder}/none`, 5), null);
  });
});

Deno.test("files returns null or no names for paths that do not exist", async () => {
  const none = "/nonexistent/file";
  assert.equal(await files.read(none), null);
  assert.equal(await files.readBytes(none), null);
  assert.equal(await files.lstat(none), null);
  assert.equal(await files.stat("/etc/passwd/x"), null);
  assert.equal(await files.real(none), null);
  assert.deepEqual(await files.list(none), []);
  assert.deepEqual(await files.list("/etc/passwd"), [], "a file where a folder is expected");
  await files.remove(none);
  await files.removeTree(none);
});

Deno.test("files.lock() belongs to one process until that ends, also by a signal", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/lock`;
    const hold = 'exec 9<>"$1"; flock 9; echo held; exec sleep 60';
    const holder = new Deno.Command("sh", { args: ["-c", hold, "sh", path], stdout: "piped" })
      .spawn();
    const reader = holder.stdout.getReader();
    await reader.read();
    assert.equal(await files.lock(path), null);
    holder.kill("SIGKILL");
    await holder.status;
    await reader.cancel();
    let lock = await files.lock(path);
    // The one that was given up above may hold it for the moment that it takes to let go.
    for (let tries = 0; lock === null && tries < 20; tries++) lock = await files.lock(path);
    assert.ok(lock);
    assert.equal(await files.read(path), `${Deno.pid}\n`);
    lock.release();
  });
});

Deno.test("files.write() and files.replace() leave nothing of longer or unfinished older files", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    for (const put of [files.write, files.replace]) {
      await Deno.writeTextFile(path, "something longer");
      await Deno.writeTextFile(`${folder}/.file.${Deno.pid}`, "what a killed one left", {
        mode: 0o640,
      });
      await put(path, "new", 0o640);
      assert.equal(await files.read(path), "new");
      assert.equal(await modeOf(path), 0o640);
    }
    assert.deepEqual(await files.list(folder), ["file"]);
  });
});

Deno.test("files.makeDirectory() creates parents with mode 0700, and accepts existing directories", async () => {
  await inFolder(async (folder) => {
    await files.makeDirectory(`${folder}/a/b`);
    await files.makeDirectory(`${folder}/a/b`, 0o755);
    assert.deepEqual([await modeOf(`${folder}/a`), await modeOf(`${folder}/a/b`)], [0o700, 0o700]);
    await files.makeDirectory(`${folder}/c`, 0o755);
    assert.equal(await modeOf(`${folder}/c`), 0o755);
    await files.write(`${folder}/file`, "");
    await assert.rejects(files.makeDirectory(`${folder}/file`), Deno.errors.AlreadyExists);
  });
});

Deno.test("files.temporaryDirectory() is new, and has mode 0700", async () => {
  const folders = [await files.temporaryDirectory("nr-"), await files.temporaryDirectory("nr-")];
  try {
    assert.notEqual(folders[0], folders[1]);
    for (const folder of folders) {
      assert.match(folder, /\/nr-[^/]+$/);
      assert.equal(await modeOf(folder), 0o700);
    }
  } finally {
    for (const folder of folders) await files.removeTree(folder);
  }
});

Deno.test("files.lstat() describes a symlink, files.stat() its target", async () => {
  await inFolder(async (folder) => {
    await files.write(`${folder}/file`, "four", 0o600);
    await files.symlink("file", `${folder}/link`);
    await files.symlink("none", `${folder}/broken`);
    const kind = async (name: string) => (await files.lstat(`${folder}/${name}`))?.kind;
    assert.deepEqual(
      [await kind("file"), await kind("link"), await kind("."), await kind("none")],
      ["file", "symlink", "directory", undefined],
    );
    assert.equal((await files.lstat("/dev/null"))?.kind, "other");
    assert.equal((await files.lstat(`${folder}/broken`))?.kind, "symlink");
    assert.equal(await files.stat(`${folder}/broken`), null);
    const [file, real] = [await files.stat(`${folder}/link`), await Deno.stat(`${folder}/file`)];
    assert.deepEqual(file, {
      ...{ kind: "file", size: 4, mode: real.mode, uid: Deno.uid() },
      ...{ dev: real.dev, ino: real.ino, modified: real.mtime, born: real.birthtime },
    });
    assert.equal(await files.real(`${folder}/link`), `${folder}/file`);
  });
});

Deno.test("files throws errors other than those of missing files", async () => {
  await inFolder(async (folder) => {
    await files.makeDirectory(`${folder}/full/inside`);
    await files.write(`${folder}/file`, "");
    const path = `${folder}/full`;
    for (const read of [files.read, files.readBytes]) await assert.rejects(read(path));
    await assert.rejects(files.remove(path), "it is not empty");
    assert.deepEqual(await files.list(`${folder}/file`), []);
    await assert.rejects(files.rename(`${folder}/none`, path), Deno.errors.NotFound);
    await assert.rejects(files.chmod(`${folder}/none`, 0o600), Deno.errors.NotFound);
    await assert.rejects(files.write(path, ""));
    await assert.rejects(files.symlink("x", path), Deno.errors.AlreadyExists);
    await assert.rejects(files.lock(path));
    await assert.rejects(files.read(`${folder}/${"x".repeat(300)}`));
  });
});

Deno.test("files.list() returns all names, sorted", async () => {
  await inFolder(async (folder) => {
    const names = ["10", "9", ".b", "a b", "A", "z", "é"];
    for (const name of names) await files.write(`${folder}/${name}`, "");
    assert.deepEqual(await files.list(folder), [".b", "10", "9", "A", "a b", "z", "é"]);
  });
});

Deno.test("files.rename() and files.remove() change a single name", async () => {
  await inFolder(async (folder) => {
    await files.write(`${folder}/a`, "a");
    await files.write(`${folder}/b`, "b");
    await files.symlink("b", `${folder}/link`);
    await files.rename(`${folder}/a`, `${folder}/b`);
    await files.remove(`${folder}/link`);
    assert.deepEqual(await files.list(folder), ["b"]);
    assert.equal(await files.read(`${folder}/b`), "a");
    await files.chmod(`${folder}/b`, 0o751);
    assert.equal(await modeOf(`${folder}/b`), 0o751);
  });
});

Deno.test("files.lock() can be taken again once it is released, and has mode 0600", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/lock`;
    await Deno.writeTextFile(path, "123456789 of one before\n", { mode: 0o600 });
    const lock = await files.lock(path);
    assert.equal(await files.read(path), `${Deno.pid}\n`, "whose it is now");
    const tryIt = async () =>
      (await new Deno.Command("flock", { args: ["-n", path, "true"] }).output()).code;
    assert.equal(await tryIt(), 1);
    lock!.release();
    assert.equal(await tryIt(), 0);
    (await files.lock(`${folder}/new`))!.release();
    assert.equal(await modeOf(`${folder}/new`), 0o600);
  });
});

Deno.test("files.lock() is free at once when it is released, also while another thread starts processes", async () => {
  const forever = 'for (;;) await new Deno.Command("true").output();';
  const thread = new Worker(`data:application/javascript,${encodeURIComponent(forever)}`, {
    type: "module",
  });
  try {
    await inFolder(async (folder) => {
      for (let tries = 0; tries < 500; tries++) {
        const lock = await files.lock(`${folder}/lock`);
        assert.ok(lock, `taken in try ${tries}`);
        lock.release();
      }
    });
  } finally {
    thread.terminate();
  }
});

Deno.test("files.readPipe() waits for the writers of a named pipe, and lets all else go on", async () => {
  await inFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const writer = await Deno.open(pipe, { read: true, write: true });
    const reading = files.readPipe(pipe);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await writer.write(new TextEncoder().encode("text"));
    writer.close();
    assert.equal(await reading, "text");
  });
});

Deno.test("files.append() adds to a file, and makes one only where its mode is given", () =>
  inFolder(async (folder) => {
    const path = `${folder}/file`;
    await files.append(path, "text");
    assert.equal(await files.read(path), null);
    await files.append(path, "one\n", 0o600);
    await files.append(path, "two\n");
    assert.equal(await files.read(path), "one\ntwo\n");
    assert.equal(await modeOf(path), 0o600);
  }));

Deno.test("files.link() gives a file a second name", async () => {
  await inFolder(async (folder) => {
    const { write, link, read, remove } = denoFiles();
    await write(`${folder}/a`, "text");
    await link(`${folder}/a`, `${folder}/b`);
    await remove(`${folder}/a`);
    assert.equal(await read(`${folder}/b`), "text");
  });
});
