import assert from "node:assert/strict";
import { definedPaths } from "../../../../src/chroots/definition/defined_paths.ts";
import { test } from "../fixture.ts";

test("definedPaths() names the writable binds of the configuration and of all definitions", async (f) => {
  await f.put("defs/a.toml", 'binds = ["/a:/x", "/ro:/y:ro"]');
  await f.put("defs/b.toml", 'binds = ["/b:/x"]');
  await f.put("defs/none.toml");
  await f.put("defs/wrong.toml", "binds = 1");
  await f.put("store/a.toml", 'binds = ["/shadowed:/x"]');
  await f.put("store/c.toml", 'binds = ["/c:/x"]');
  const config = { ...f.config, binds: ["/default:/x", "/default-ro:/y:ro"] };
  const { host } = f.context;
  const { writable } = await definedPaths(host, config);
  assert.deepEqual(writable, ["/default", "/a", "/b", "/c"]);
  assert.deepEqual((await definedPaths(host, f.config)).writable, ["/a", "/b", "/c"]);
});

test("definedPaths() names the playbooks of definitions, and symlinks to definitions and playbooks", async (f) => {
  await f.put("defs/a.toml", 'playbook = "/play/a.yaml"');
  await f.put("store/b.toml", 'playbook = "plays/b.yaml"');
  await f.put("defs/none.toml", "# no playbook");
  await f.put("elsewhere", "[]");
  const links = ["defs/c.yaml", "defs/d.toml", "store/e.yml"].map((path) => `${f.folder}/${path}`);
  for (const link of links) await Deno.symlink(`${f.folder}/elsewhere`, link);
  await Deno.symlink("none", `${f.folder}/defs/other`);
  const found = await definedPaths(f.context.host, f.config);
  assert.deepEqual(found.playbooks.toSorted(), [
    "/play/a.yaml",
    `${f.folder}/store/plays/b.yaml`,
  ]);
  assert.deepEqual(found.links.toSorted(), links);
});
