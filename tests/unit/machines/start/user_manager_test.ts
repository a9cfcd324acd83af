import assert from "node:assert/strict";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { userManagerFor, writeUserManager } from "../../../../src/machines/start/user_manager.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const USER = { name: "ci", uid: 1000, gid: 1000, home: "/home/ci" };

/** Makes a tree with what the systemd of a user needs. */
async function makeTree(tree: string, lib = "usr/lib"): Promise<void> {
  for (const kind of ["system", "user"]) {
    await Deno.mkdir(`${tree}/${lib}/systemd/${kind}`, { recursive: true });
    await Deno.mkdir(`${tree}/etc/systemd/${kind}`, { recursive: true });
  }
  for (
    const unit of ["system/systemd-logind.service", "system/user@.service", "user/dbus.socket"]
  ) {
    await Deno.writeTextFile(`${tree}/${lib}/systemd/${unit}`, "");
  }
}

Deno.test("userManagerFor() names the folder and the bus of the user, also where /usr is not merged", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    for (const lib of ["usr/lib", "lib"]) {
      await makeTree(`${folder}/${lib}`, lib);
      const booted = { booted: true, user: USER };
      assert.deepEqual(await userManagerFor(host, `${folder}/${lib}`, booted), {
        name: "ci",
        environment: [
          "XDG_RUNTIME_DIR=/run/user/1000",
          "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
        ],
      });
    }
  }));

Deno.test("userManagerFor() returns null for root, for numbers without an account and in plain machines", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    await makeTree(folder);
    const found = (booted: boolean, user: typeof USER | null) =>
      userManagerFor(host, folder, { booted, user });
    assert.equal(await found(true, null), null);
    assert.equal(await found(true, { ...USER, name: "1000" }), null);
    assert.equal(await found(false, USER), null);
  }));

Deno.test("userManagerFor() returns null where a unit is missing or masked", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    await makeTree(folder);
    const booted = { booted: true, user: USER };
    const mask = `${folder}/etc/systemd/system/systemd-logind.service`;
    await Deno.symlink("/dev/null", mask);
    assert.equal(await userManagerFor(host, folder, booted), null);
    await Deno.remove(mask);
    assert.notEqual(await userManagerFor(host, folder, booted), null);
    await Deno.remove(`${folder}/usr/lib/systemd/user/dbus.socket`);
    assert.equal(await userManagerFor(host, folder, booted), null);
  }));

Deno.test("userManagerFor() reads no folder that an image links to the host's", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    const booted = { booted: true, user: USER };
    const tree = `${folder}/tree`;
    await makeTree(tree);
    await makeTree(`${folder}/host`);
    await Deno.symlink(tree, `${folder}/link`);
    assert.notEqual(await userManagerFor(host, `${folder}/link`, booted), null);
    await Deno.rename(`${tree}/etc/systemd`, `${tree}/systemd`);
    await Deno.symlink("../systemd", `${tree}/etc/systemd`);
    await Deno.symlink("/dev/null", `${tree}/systemd/user/dbus.socket`);
    assert.equal(await userManagerFor(host, tree, booted), null, "masked in the tree");
    await Deno.remove(`${tree}/etc/systemd`);
    assert.notEqual(await userManagerFor(host, tree, booted), null);
    await Deno.remove(`${tree}/usr/lib/systemd`, { recursive: true });
    await Deno.symlink(`${folder}/host/usr/lib/systemd`, `${tree}/usr/lib/systemd`);
    assert.equal(await userManagerFor(host, tree, booted), null);
  }));

Deno.test("writeUserManager() writes a configuration that a machine with other ids can read", () =>
  inFolder(async (folder) => {
    const paths = { ...machinePaths(folder, machineName("42", undefined)), stage: folder };
    const { from, readOnly } = await writeUserManager(recordingHost().host, paths, {
      name: "ci",
      environment: [],
    });
    assert.equal(await Deno.readTextFile(from), "f /var/lib/systemd/linger/ci\n");
    assert.equal((await Deno.stat(from)).mode! & 0o777, 0o644);
    assert.equal(readOnly, true);
  }));
