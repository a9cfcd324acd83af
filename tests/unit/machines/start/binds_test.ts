import assert from "node:assert/strict";
import { adminBinds, type BindRules } from "../../../../src/machines/start/binds.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const { host } = recordingHost({ real: ["cat"] });

const configIn = (folder: string) => ({
  store: `${folder}/store`,
  definitions: `${folder}/defs`,
  file: `${folder}/conf/config.toml`,
});

const NO_RULES = { writable: [], playbooks: [], links: [] };

Deno.test("adminBinds() follows links to what is really bound", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/store`);
    await Deno.mkdir(`${folder}/data`);
    await Deno.symlink("data", `${folder}/link`);
    const wanted = [`${folder}/data:/data`, `${folder}/link:/srv/x:ro`];
    assert.deepEqual(await adminBinds(host, configIn(folder), wanted, NO_RULES), [
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
      await assert.rejects(adminBinds(host, configIn(folder), wanted, NO_RULES), {
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
    const bind = (path: string) =>
      adminBinds(host, configIn(folder), [`${folder}/${path}`], NO_RULES);
    for (const path of ["etc:/x", "defs:/x", "etc/defs:/x"]) {
      await assert.rejects(bind(path), {
        kind: "refused",
        message: /\/defs holds settings of machines/,
      });
      assert.equal((await bind(`${path}:ro`)).length, 1);
    }
    assert.equal((await bind("etc/else:/x")).length, 1);
  }));

/** Returns how many of some binds of a folder are usable; those that are not are refused with this reason. */
async function usable(
  folder: string,
  binds: readonly string[],
  { reason, rules = NO_RULES, on = host }: {
    reason: RegExp;
    rules?: BindRules;
    on?: typeof host;
  },
): Promise<string[]> {
  const good: string[] = [];
  for (const bind of binds) {
    try {
      await adminBinds(on, configIn(folder), [`${folder}/${bind}`], rules);
      good.push(bind);
    } catch (error) {
      assert.match(`${error}`, reason);
    }
  }
  return good;
}

Deno.test("adminBinds() lets no job write playbooks, what lies beside them, or a symlink on the way to them", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/srv/play/roles/web`, { recursive: true });
    await Deno.mkdir(`${folder}/srv/else`);
    await Deno.mkdir(`${folder}/way/else`, { recursive: true });
    for (const name of ["checkout", "plain", "target"]) await Deno.mkdir(`${folder}/${name}`);
    await Deno.mkdir(`${folder}/defs`);
    await Deno.symlink("../target/y.yaml", `${folder}/plain/y.yaml`);
    await Deno.symlink("../srv/play", `${folder}/way/link`);
    await Deno.symlink("../checkout/x.toml", `${folder}/defs/x.toml`);
    const rules = {
      writable: [],
      playbooks: [`${folder}/way/link/x.yaml`, `${folder}/plain/y.yaml`],
      links: [`${folder}/defs/x.toml`],
    };
    const binds = [
      "srv",
      "srv/play",
      "srv/play/roles/web",
      "way",
      "way/link",
      "checkout",
      "target",
    ];
    const writable = [...binds, "srv/else", "way/else"].map((path) => `${path}:/x`);
    const readable = binds.map((path) => `${path}:/x:ro`);
    const reason = /(play|way\/link|[xy]\.yaml|x\.toml) holds settings of machines/;
    assert.deepEqual(await usable(folder, [...writable, ...readable], { reason, rules }), [
      "srv/else:/x",
      "way/else:/x",
      ...readable,
    ]);
  }));

Deno.test("adminBinds() lets no job write the configuration, also one that does not exist yet", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/conf/else`, { recursive: true });
    await Deno.mkdir(`${folder}/confx`);
    const reason = /conf\/config\.toml holds settings of machines/;
    const [bound = "", ...others] = ["conf:/x", "conf:/x:ro", "conf/else:/x", "confx:/x"];
    assert.deepEqual(await usable(folder, [bound, ...others], { reason }), others);
    await Deno.writeTextFile(`${folder}/conf/config.toml`, "");
    const file = "conf/config.toml:/x";
    assert.deepEqual(await usable(folder, [file, bound, ...others], { reason }), others);
  }));

Deno.test("adminBinds() knows the store and the configuration also where another mount shows them", () =>
  inFolder(async (folder) => {
    for (const name of ["store", "conf", "disk/all", "disk/store", "disk/else"]) {
      await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    }
    const mount = (id: number, root: string, point: string) =>
      `${id} 1 8:2 ${root} ${point} rw - ext4 b rw\n`;
    const stdout = "1 0 8:1 / / rw - ext4 a rw\n" + mount(2, "/", folder) +
      mount(3, "/", `${folder}/disk/all`) + mount(4, "/store/x", `${folder}/disk/store`) +
      mount(5, "/else", `${folder}/disk/else`);
    const { host: on } = recordingHost({ answer: () => ({ stdout }) });
    const reason = /store is the runner's own/;
    const binds = ["disk:/x:ro", "disk/all:/x:ro", "disk/store:/x:ro", "disk/else:/x"];
    assert.deepEqual(await usable(folder, binds, { reason, on }), ["disk/else:/x"]);
    const elsewhere = stdout.replace("/store/x", "/conf");
    const { host: other } = recordingHost({ answer: () => ({ stdout: elsewhere }) });
    const found = { reason: /conf.config.toml holds settings/, on: other };
    assert.deepEqual(await usable(folder, ["disk/store:/x", "disk/store:/x:ro"], found), [
      "disk/store:/x:ro",
    ]);
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
        { ...NO_RULES, writable: writable.map((path) => `${folder}/${path}`) },
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
