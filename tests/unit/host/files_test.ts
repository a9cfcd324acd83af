import assert from "node:assert/strict";
import { denoFiles } from "../../../src/host/files.ts";
import { inFolder } from "../recording_host.ts";

const files = denoFiles();
const modeOf = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("files.write() and files.replace() set the mode whatever was there and the umask is", async () => {
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

Deno.test("files.replace() leaves the old file and nothing else when it fails", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/taken/inside`, { recursive: true });
    await assert.rejects(files.replace(`${folder}/taken`, "x"));
    assert.deepEqual(await files.list(folder), ["taken"]);
  });
});

Deno.test("files.readEnd() reads no more than it should of a file that a stranger filled", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "x".repeat(100_000) + "end");
    assert.equal(await files.readEnd(path, 5), "xxend");
    await Deno.writeTextFile(path, "ab");
    assert.equal(await files.readEnd(path, 5), "ab");
    assert.equal(await files.readEnd(`${folder}/none`, 5), null);
  });
});

Deno.test("files says null or nothing of what is not there", async () => {
  const none = "/nonexistent/file";
  assert.equal(await files.read(none), null);
  assert.equal(await files.readBytes(none), null);
  assert.equal(await files.lstat(none), null);
  assert.equal(await files.stat("/etc/passwd/x"), null);
  assert.equal(await files.real(none), null);
  assert.deepEqual(await files.list(none), []);
  await files.remove(none);
  await files.removeTree(none);
});

Deno.test("files.lock() is one process's, until that ends however it ends", async () => {
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
