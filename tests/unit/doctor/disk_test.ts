import assert from "node:assert/strict";
import { caches, diskLimit, diskReserve, freeDisk } from "../../../src/doctor/disk.ts";
import { find } from "./fixture.ts";

/** A store with a chroot, whose machines write to overlays. */
const limitedTo = (disk_max: string) => async (folder: string) => {
  await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
  const more = `storage = "overlay"\n[limits]\ndisk_max = "${disk_max}"\n`;
  await Deno.writeTextFile(`${folder}/config.toml`, more, { append: true });
};

Deno.test("diskLimit() says how disk_max is enforced, and what that needs", async () => {
  const answer = (stderr: string) => ([program]: readonly string[]) =>
    program === "sh" ? { code: stderr === "" ? 0 : 1, stderr } : undefined;
  assert.deepEqual(await find(diskLimit, {}, limitedTo("infinity")), []);
  const [well] = await find(diskLimit, { answer: answer("") }, limitedTo("2G"));
  assert.deepEqual([well?.state, well?.found], ["ok", "2G, by disks of their own"]);
  const [none] = await find(diskLimit, { answer: answer("no mkfs.ext4\n") }, limitedTo("2G"));
  assert.deepEqual([none?.state, none?.found], [
    "broken",
    "no disk of 2G can be created: no mkfs.ext4",
  ]);
});

Deno.test("diskLimit() is broken where a loop device has no node", async () => {
  let bin = "";
  const [none] = await find(diskLimit, {
    answer: ([program, ...words]) => {
      if (program !== "sh") return;
      const env = { PATH: `${bin}:/usr/bin:/bin` };
      const { code, stderr } = new Deno.Command("sh", { args: words, env }).outputSync();
      return { code, stderr: new TextDecoder().decode(stderr) };
    },
  }, async (folder) => {
    await limitedTo("2G")(folder);
    bin = `${folder}/bin`;
    await Deno.mkdir(bin);
    const programs = { "mkfs.ext4": "", losetup: "echo '/dev/loop0 (lost)'" };
    for (const [name, text] of Object.entries(programs)) {
      await Deno.writeTextFile(`${bin}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
  });
  assert.equal(none?.state, "broken");
  assert.match(none?.found ?? "", /no loop device: .dev.loop0 .lost.$/);
});

Deno.test("caches() says how much caches and builds folders hold, and is weak above cache_max_size", async () => {
  const paths: string[] = [];
  const made = (limit: string) => async (folder: string) => {
    paths.splice(0, 9, `${folder}/store/.cache/s/1/protected`, `${folder}/store/.builds/s/1/x/0`);
    for (const path of paths) await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(`${folder}/config.toml`, limit, { append: true });
  };
  const answer = ([program]: readonly string[]) =>
    program === "du"
      ? { stdout: paths.map((path, index) => `${2048 + 1024 * index}\t${path}\0`).join("") }
      : undefined;
  assert.deepEqual(await find(caches, { answer }), []);
  const [plain] = await find(caches, { answer }, made(""));
  assert.deepEqual([plain?.state, plain?.found], ["ok", "5 KiB in 2; the largest has 3 KiB"]);
  const [large] = await find(caches, { answer }, made('cache_max_size = "4K"\n'));
  assert.deepEqual([large?.state, large?.found], [
    "weak",
    "5 KiB in 2; the largest has 3 KiB: more than 4 KiB",
  ]);
});

Deno.test("freeDisk() is weak where less than a tenth is free", async () => {
  const df = (free: number) => ({
    answer: () => ({ stdout: `Avail 1B-blocks IFree Inodes\n${free} 1000 5 9\n` }),
  });
  assert.equal((await find(freeDisk, df(100)))[0]?.state, "ok");
  assert.equal((await find(freeDisk, df(99)))[0]?.state, "weak");
  assert.deepEqual(await find(freeDisk, { answer: () => ({ code: 1 }) }), []);
});

Deno.test("freeDisk() is weak where the store is on the disk of the root file system", async () => {
  const from = (root: string, store: string) => ({
    answer: (argv: readonly string[]) => ({
      stdout: argv[1] === "--output=source"
        ? `Filesystem\n${root}\n${store}\n`
        : "Avail 1B-blocks IFree Inodes\n500 1000 5 9\n",
    }),
  });
  const [same] = await find(freeDisk, from("/dev/sda2", "/dev/sda2"));
  assert.equal(same?.state, "weak");
  assert.match(same?.found ?? "", /root file system/);
  for (const [root, store] of [["/dev/sda2", "/dev/sdb"], ["tmpfs", "tmpfs"]] as const) {
    assert.equal((await find(freeDisk, from(root, store)))[0]?.state, "ok", store);
  }
});

Deno.test("diskReserve() is weak where machines start on a full disk", async () => {
  const reserve = (text: string) => (folder: string) =>
    Deno.writeTextFile(`${folder}/config.toml`, `disk_reserve = ${text}\n`, { append: true });
  assert.equal((await find(diskReserve, {}))[0]?.state, "ok");
  assert.equal((await find(diskReserve, {}, reserve("'16M'")))[0]?.state, "ok");
  assert.equal((await find(diskReserve, {}, reserve("1")))[0]?.state, "weak");
});
