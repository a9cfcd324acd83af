import assert from "node:assert/strict";
import { writableFolders } from "../../../../src/chroots/definition/writable_folders.ts";
import { test } from "../fixture.ts";

test("writableFolders() names the writable binds of the configuration and of all definitions", async (f) => {
  await f.put("defs/a.toml", 'binds = ["/a:/x", "/ro:/y:ro"]');
  await f.put("defs/b.toml", 'binds = ["/b:/x"]');
  await f.put("defs/none.toml");
  await f.put("defs/wrong.toml", "binds = 1");
  await f.put("store/a.toml", 'binds = ["/shadowed:/x"]');
  await f.put("store/c.toml", 'binds = ["/c:/x"]');
  const config = { ...f.config, binds: ["/default:/x", "/default-ro:/y:ro"] };
  const folders = await writableFolders(f.context.host, config);
  assert.deepEqual(folders, ["/default", "/a", "/b", "/c"]);
  assert.deepEqual(await writableFolders(f.context.host, f.config), ["/a", "/b", "/c"]);
});
