import assert from "node:assert/strict";
import { chroots, otherHosts, store } from "../../../src/doctor/store.ts";
import { allowImages, find, state } from "./fixture.ts";

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

Deno.test("otherHosts() is broken where another host uses the store", async () => {
  const lease = { version: 2, machine: "run-42", boot: "b" };
  const of = (host: string | null) => async (folder: string) => {
    await Deno.mkdir(`${folder}/store/.leases`, { recursive: true });
    const text = JSON.stringify({ ...lease, store: `${folder}/store`, host });
    await Deno.writeTextFile(`${folder}/store/.leases/run-42.json`, text);
  };
  const scene = { files: { "/etc/machine-id": "own\n" } };
  assert.deepEqual(await find(otherHosts, scene), []);
  for (const host of ["own", null]) assert.deepEqual(await find(otherHosts, scene, of(host)), []);
  const [other] = await find(otherHosts, scene, of("other"));
  assert.equal(other?.state, "broken");
  assert.match(`${other?.found} ${other?.fix}`, /machine run-42 .*rm .*run-42\.json$/);
  const [marked] = await find(otherHosts, scene, async (folder) => {
    await of("own")(folder);
    await Deno.writeTextFile(`${folder}/store/.host`, "other host-2\n");
  });
  assert.equal(marked?.state, "broken");
  assert.match(`${marked?.found} ${marked?.fix}`, /another host, host-2 .*rm .*\.host$/);
});

Deno.test("chroots() is broken where none is ready, or a definition is invalid", async () => {
  assert.deepEqual((await find(chroots, {})).map(state), [["broken", true]]);
  assert.deepEqual((await find(chroots, {}, allowImages)).map(state), [["ok", false]]);
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
