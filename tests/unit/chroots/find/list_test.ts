import assert from "node:assert/strict";
import { listChroots } from "../../../../src/chroots/find/list.ts";
import { tryLock } from "../../../../src/chroots/generations/lock.ts";
import { named, withStore } from "../fixture.ts";

Deno.test("listChroots() is empty where there is no store", () =>
  withStore(async ({ context: { host, config } }) => {
    assert.deepEqual(await listChroots(host, config), []);
  }));

Deno.test("listChroots() returns chroots and definitions, with what is known of them", () =>
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
      reason: null,
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

Deno.test("listChroots() shows a build that runs, and not the leftover of a killed one", () =>
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

/** Files that make the chroot x invalid, and the reason. */
const INVALID: readonly (readonly [string, string, RegExp])[] = [
  ["defs/x.toml", "= nonsense", /x\.toml/],
  ["defs/x.toml", "nonsense = 1", /x\.toml.*nonsense/],
  ["defs/x.toml", 'playbook = "plays/none.yaml"', /none\.yaml: no such file$/],
  ["defs/x.yaml", "- hosts: a\n  vars: {nspawn_runner_memory_max: much}\n", /memory_max must be/],
];

for (const [path, text, reason] of INVALID) {
  Deno.test(`listChroots() shows that ${path} with ${JSON.stringify(text)} is invalid, and why`, () =>
    withStore(async ({ context: { host, config }, put, generation }) => {
      await put(path, text);
      const list = async () => (await listChroots(host, config))[0]!;
      const defined = await list();
      assert.deepEqual([defined.name, defined.state, defined.generation], ["x", "invalid", null]);
      assert.match(defined.reason ?? "", reason);
      assert.doesNotMatch(defined.reason ?? "", /\n/);
      await generation("x", 1);
      const ready = await list();
      assert.deepEqual([ready.state, ready.generation, ready.origin], ["invalid", 1, "sid"]);
      assert.equal(ready.reason, defined.reason);
    }));
}

Deno.test("listChroots() has the origin of an invalid chroot where its definition tells", () =>
  withStore(async ({ context: { host, config }, put }) => {
    await put("defs/x.toml", 'suite = "sid"\nplaybook = "plays/none.yaml"');
    const [entry] = await listChroots(host, config);
    assert.deepEqual([entry?.state, entry?.origin], ["invalid", "sid"]);
  }));

Deno.test("listChroots() does not repeat the warnings of playbooks", () =>
  withStore(async ({ context: { host, config }, put, err }) => {
    await put("defs/x.yaml", '- hosts: a\n  vars: {nspawn_runner_chroot_suite: "{{ s }}"}\n');
    const [entry] = await listChroots(host, config);
    assert.deepEqual([entry?.state, entry?.origin], ["defined", null]);
    assert.equal(err(), "");
  }));
