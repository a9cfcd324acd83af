import assert from "node:assert/strict";
import { adminBinds } from "../../../../src/machines/start/binds.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const { host } = recordingHost({ real: ["cat"] });

const configIn = (folder: string) => ({ store: `${folder}/store`, definitions: `${folder}/defs` });

Deno.test("adminBinds() follows links to what is really bound", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.mkdir(`${folder}/data`);
    await Deno.symlink("data", `${folder}/link`);
    const wanted = [`${folder}/data:/data`, `${folder}/link:/srv/x:ro`];
    assert.deepEqual(await adminBinds(host, configIn(folder), wanted, []), [
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
      await assert.rejects(adminBinds(host, configIn(folder), wanted, []), {
        kind: "refused",
        message,
      });
    }
  }));

Deno.test("adminBinds() lets no job write definitions", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/etc/defs`, { recursive: true });
    await Deno.symlink("etc/defs", `${folder}/defs`);
    await Deno.mkdir(`${folder}/etc/else`);
    const bind = (path: string) => adminBinds(host, configIn(folder), [`${folder}/${path}`], []);
    for (const path of ["etc:/x", "defs:/x", "etc/defs:/x"]) {
      await assert.rejects(bind(path), {
        kind: "refused",
        message: /etc\/defs is the runner's own/,
      });
      assert.equal((await bind(`${path}:ro`)).length, 1);
    }
    assert.equal((await bind("etc/else:/x")).length, 1);
  }));

Deno.test("adminBinds() refuses what lies in a folder that jobs write to, also through links", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.mkdir(`${folder}/data/sub`, { recursive: true });
    await Deno.mkdir(`${folder}/other/sub`, { recursive: true });
    const links = {
      "data/link": `${folder}/other`,
      alias: "data",
      inner: "data/sub",
      chain: "data/link",
      long: `${folder}/alias/../alias/link/sub`,
      "store/link": `${folder}/other`,
    };
    for (const [link, target] of Object.entries(links)) {
      await Deno.symlink(target, `${folder}/${link}`);
    }
    const bind = (path: string, ...writable: string[]) =>
      adminBinds(
        host,
        configIn(folder),
        [`${folder}/${path}`],
        writable.map((path) => `${folder}/${path}`),
      );
    const replaceable = ["data/sub", "data/link", "alias/sub", "alias/link", "inner"];
    for (const inner of [...replaceable, "chain", "chain/sub", "long", "data/link/sub"]) {
      for (const mode of ["", ":ro"]) {
        for (const outer of ["data", "alias"]) {
          await assert.rejects(bind(`${inner}:/s${mode}`, "none", outer), {
            kind: "refused",
            message: new RegExp(`jobs can replace it, since they write to ${folder}/${outer}$`),
          });
        }
        assert.equal((await bind(`${inner}:/s${mode}`, "none", "data/su")).length, 1, inner);
      }
    }
    await assert.rejects(bind("store/link:/s"), { message: /jobs can replace it.*store$/ });
    for (const outer of ["data", "alias", "chain"]) {
      assert.equal((await bind(`${outer}:/s`, outer, "data/sub")).length, 1, outer);
    }
  }));
