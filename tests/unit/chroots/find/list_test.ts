import assert from "node:assert/strict";
import { listChroots } from "../../../../src/chroots/find/list.ts";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { asJson, asLines, asTable } from "../../../../src/chroots/find/table.ts";
import { named, withStore } from "../fixture.ts";

Deno.test("listChroots() is empty where there is no store", () =>
  withStore(async ({ context: { host, config } }) => {
    assert.deepEqual(await listChroots(host, config), []);
    assert.equal(asLines([]), "");
    assert.equal(asJson([]), "[]\n");
  }));

Deno.test("listChroots() has chroots and definitions, with what is known of them", () =>
  withStore(async ({ context: { host, config }, tree, generation, put, folder }) => {
    const made = "2030-01-01T00:00:00.000Z";
    const pin = `sha256:${"0".repeat(64)}`;
    await generation("ready", 3, { origin: "sid", size: 3 * 1024 ** 2, made });
    await generation("ready", 4, { origin: "docker:registry.example/x", pin, made });
    await tree("foreign");
    await put("defs/toml.toml", 'suite = "trixie"');
    await put("defs/other.toml", 'extends = "toml"');
    await put("store/play.yml", "- hosts: a\n  vars: {nspawn_runner_chroot_suite: noble}\n");
    await put("defs/config.toml", "");
    await put("defs/.hidden.yaml", "");
    await put("defs/readme.txt", "");
    const unknown = {
      origin: null,
      generation: null,
      generations: [],
      digest: null,
      size: null,
      made: null,
    };
    const at = (name: string) => ({ name, path: `${folder}/store/${name}` });
    const only = { state: "defined", defined: true };
    const all = [
      { ...unknown, ...at("foreign"), state: "ready", defined: false },
      { ...unknown, ...at("other"), ...only, origin: "extends:toml" },
      { ...unknown, ...at("play"), ...only, origin: "noble" },
      {
        ...unknown,
        ...at("ready"),
        state: "ready",
        defined: false,
        origin: "docker:registry.example/x",
        digest: pin,
        generation: 4,
        generations: [3, 4],
        made,
      },
      { ...unknown, ...at("toml"), ...only, origin: "trixie" },
    ];
    assert.deepEqual(await listChroots(host, config), all);
  }));

Deno.test("listChroots() shows what is being made, and not what a killed process left", () =>
  withStore(async ({ context: { host, config }, put }) => {
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
  withStore(async ({ context: { host, config }, put }) => {
    await put("defs/wrong.toml", "= nonsense");
    const [entry] = await listChroots(host, config);
    assert.deepEqual([entry?.name, entry?.state, entry?.origin], ["wrong", "defined", null]);
  }));

Deno.test("asTable() has columns, and dashes for what nobody knows", () => {
  const unknown = { generations: [], digest: null, defined: true };
  const entries = [
    {
      ...unknown,
      name: named("a-long-name"),
      state: "ready",
      origin: "sid",
      generation: 12,
      size: 5 * 1024 ** 3 / 2,
      made: "2030-01-01T00:00:00.000Z",
      path: "/s/a",
    },
    {
      ...unknown,
      name: named("b"),
      state: "defined",
      origin: null,
      generation: null,
      size: null,
      made: null,
      path: "/s/b",
    },
  ] as const;
  assert.equal(
    asTable(entries, Date.UTC(2030, 0, 1, 3, 5)),
    "NAME         STATE    GENERATION  AGE     ORIGIN  SIZE     PATH\n" +
      "a-long-name  ready    12          3h5min  sid     2.5 GiB  /s/a\n" +
      "b            defined  -           -       -       -        /s/b\n",
  );
  assert.equal(asLines(entries), "a-long-name /s/a\nb /s/b\n");
  assert.deepEqual(JSON.parse(asJson(entries)), entries);
});
