import assert from "node:assert/strict";
import { chroots, diskLimit, freeDisk, store } from "../../../src/doctor/store.ts";
import { find, state } from "./fixture.ts";

Deno.test("store() is broken where others than root can change it", async () => {
  const made = (mode: number) => async (folder: string) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.chmod(`${folder}/store`, mode);
  };
  assert.equal((await find(store, {}))[0]?.state, "weak");
  const isRoot = Deno.uid() === 0;
  assert.equal((await find(store, {}, made(0o755)))[0]?.state, isRoot ? "ok" : "broken");
  const [open] = await find(store, {}, made(0o777));
  assert.equal(open?.state, "broken");
  assert.match(open?.fix ?? "", /chmod 755/);
});

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

Deno.test("freeDisk() is weak where less than a tenth is free", async () => {
  const df = (free: number) => ({
    answer: () => ({ stdout: `Avail 1B-blocks IFree Inodes\n${free} 1000 5 9\n` }),
  });
  assert.equal((await find(freeDisk, df(100)))[0]?.state, "ok");
  assert.equal((await find(freeDisk, df(99)))[0]?.state, "weak");
  assert.deepEqual(await find(freeDisk, { answer: () => ({ code: 1 }) }), []);
});

Deno.test("chroots() is broken where none is ready, or a definition is invalid", async () => {
  assert.deepEqual((await find(chroots, {})).map(state), [["broken", true]]);
  const found = await find(chroots, {}, async (folder) => {
    await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
    await Deno.mkdir(`${folder}/defs`);
    await Deno.writeTextFile(`${folder}/defs/x.toml`, "boot = true");
    await Deno.writeTextFile(`${folder}/defs/y.toml`, "boat = true");
  });
  assert.deepEqual(found.map(({ topic, state }) => [topic, state]), [["chroots", "ok"], [
    "definition of y",
    "broken",
  ]]);
  assert.match(found[1]!.found, /unknown key boat/);
});
