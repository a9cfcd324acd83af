import assert from "node:assert/strict";
import { adminBinds } from "../../../../src/machines/start/binds.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const { host } = recordingHost();

Deno.test("adminBinds() follows links to what is really bound", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.mkdir(`${folder}/data`);
    await Deno.symlink("data", `${folder}/link`);
    const wanted = [`${folder}/data:/data`, `${folder}/link:/srv/x:ro`];
    assert.deepEqual(await adminBinds(host, `${folder}/store`, wanted), [
      { from: `${folder}/data`, to: "/data", readOnly: false, keepsDiskOwners: true },
      { from: `${folder}/data`, to: "/srv/x", readOnly: true, keepsDiskOwners: true },
    ]);
  }));

Deno.test("adminBinds() refuses what is not there, the store, what holds it, and what is no file", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store/x`, { recursive: true });
    await Deno.symlink("store", `${folder}/link`);
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    const cases: readonly (readonly [string, RegExp])[] = [
      ["none", /there is no/],
      ["store", /the runner's own/],
      ["store/x", /the runner's own/],
      ["link", /the runner's own/],
      [".", /the runner's own/],
      ["pipe", /neither a file nor a folder/],
    ];
    for (const [path, message] of cases) {
      const wanted = [`${folder}/${path}:/data`];
      await assert.rejects(adminBinds(host, `${folder}/store`, wanted), {
        kind: "refused",
        message,
      });
    }
  }));

Deno.test("adminBinds() refuses what lies in a folder that jobs write to, also through links", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.mkdir(`${folder}/data/sub`, { recursive: true });
    await Deno.mkdir(`${folder}/other`);
    await Deno.symlink(`${folder}/other`, `${folder}/data/link`);
    await Deno.symlink("data", `${folder}/alias`);
    await Deno.symlink("data/sub", `${folder}/inner`);
    const bind = (...wanted: string[]) =>
      adminBinds(host, `${folder}/store`, wanted.map((path) => `${folder}/${path}`));
    for (
      const inner of [
        "data/sub:/s",
        "data/sub:/s:ro",
        "data/link:/s:ro",
        "alias/sub:/s",
        "alias/link:/s",
        "inner:/s",
      ]
    ) {
      for (const outer of ["data:/d", "alias:/d"]) {
        await assert.rejects(bind(outer, inner), {
          kind: "refused",
          message: /jobs can replace it/,
        });
        await assert.rejects(bind(inner, outer), { message: /jobs can replace it/ });
      }
    }
    assert.equal((await bind("data:/d:ro", "data/sub:/s")).length, 2);
    assert.equal((await bind("data:/d", "data:/e:ro", "other:/o")).length, 3);
  }));
