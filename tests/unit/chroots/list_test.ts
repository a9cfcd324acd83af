import assert from "node:assert/strict";
import { listChroots } from "../../../src/chroots/list.ts";
import { tryLock } from "../../../src/chroots/lock.ts";
import { writeRecord } from "../../../src/chroots/record.ts";
import { asJson, asLines, asTable } from "../../../src/chroots/table.ts";
import { named, withStore } from "./fixture.ts";

Deno.test("listChroots() is empty where there is no store", () =>
  withStore(async ({ work: { host, config } }) => {
    assert.deepEqual(await listChroots(host, config), []);
    assert.equal(asLines([]), "");
    assert.equal(asJson([]), "[]\n");
  }));

Deno.test("listChroots() has chroots and definitions, with what is known of them", () =>
  withStore(async ({ work: { host, config }, tree, put, folder }) => {
    await tree("ready");
    await tree("foreign");
    const made = "2030-01-01T00:00:00.000Z";
    await writeRecord(host, config.store, named("ready"), {
      version: 1,
      suite: "sid",
      size: 3 * 1024 ** 2,
      made,
    });
    await put("defs/toml.toml", 'suite = "trixie"');
    await put("store/play.yml", "- hosts: a\n  vars: {nspawn_runner_chroot_suite: noble}\n");
    await put("defs/config.toml", "");
    await put("defs/.hidden.yaml", "");
    await put("defs/readme.txt", "");
    const nothing = { suite: null, size: null, made: null };
    const path = (name: string) => `${folder}/store/${name}`;
    assert.deepEqual(await listChroots(host, config), [
      { name: "foreign", state: "ready", ...nothing, path: path("foreign"), defined: false },
      {
        name: "play",
        state: "defined",
        ...nothing,
        suite: "noble",
        path: path("play"),
        defined: true,
      },
      {
        name: "ready",
        state: "ready",
        suite: "sid",
        size: 3 * 1024 ** 2,
        made,
        path: path("ready"),
        defined: false,
      },
      {
        name: "toml",
        state: "defined",
        ...nothing,
        suite: "trixie",
        path: path("toml"),
        defined: true,
      },
    ]);
  }));

Deno.test("listChroots() shows what is being made, and not what a killed process left", () =>
  withStore(async ({ work: { host, config }, put }) => {
    await put("store/.making/left/root/usr/file");
    await put("store/.making/now/root/usr/file");
    const lock = await tryLock(host, config.store, named("now"));
    try {
      const entries = await listChroots(host, config);
      assert.deepEqual(entries.map(({ name, state }) => [name, state]), [["now", "building"]]);
    } finally {
      lock?.release();
    }
    assert.deepEqual(await listChroots(host, config), []);
  }));

Deno.test("listChroots() lists a definition that is wrong", () =>
  withStore(async ({ work: { host, config }, put }) => {
    await put("defs/wrong.toml", "= nonsense");
    const [entry] = await listChroots(host, config);
    assert.deepEqual([entry?.name, entry?.state, entry?.suite], ["wrong", "defined", null]);
  }));

Deno.test("asTable() has columns, and dashes for what nobody knows", () => {
  const name = named("a-long-name");
  const entries = [
    {
      name,
      state: "ready",
      suite: "sid",
      size: 5 * 1024 ** 3 / 2,
      made: null,
      path: "/s/a",
      defined: true,
    },
    {
      name: named("b"),
      state: "defined",
      suite: null,
      size: null,
      made: null,
      path: "/s/b",
      defined: true,
    },
  ] as const;
  assert.equal(
    asTable(entries),
    "NAME         STATE    SUITE  SIZE     PATH\n" +
      "a-long-name  ready    sid    2.5 GiB  /s/a\n" +
      "b            defined  -      -        /s/b\n",
  );
  assert.equal(asLines(entries), "a-long-name /s/a\nb /s/b\n");
  assert.deepEqual(JSON.parse(asJson(entries)), entries);
});
