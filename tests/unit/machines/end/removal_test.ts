import assert from "node:assert/strict";
import {
  FINISH_UNIT_SCRIPT,
  finishArgv,
  finishRemoval,
  isBeingRemoved,
  listOldRemovals,
  listRemovals,
  moveAside,
  REMOVAL_SCRIPT,
  startRemoval,
} from "../../../../src/machines/end/removal.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { inMachine, mountingHost } from "../storage/mounting_host.ts";

const NAME = machineName("42", undefined);

Deno.test("moveAside() unmounts what a machine wrote, removes its disk and frees its name", () =>
  inMachine(async (folder, { host, commands }) => {
    const store = folder.replace("/.machines/run-42", "");
    await Deno.mkdir(`${store}/.disks`);
    await Deno.writeTextFile(`${store}/.disks/run-42`, "");
    await Deno.writeTextFile(`${folder}/file`, "");
    let mounted = 2;
    const stat = async (path: string) => {
      const stat = await host.files.stat(path);
      return stat && path === folder && mounted-- > 0 ? { ...stat, dev: stat.dev + 1 } : stat;
    };
    const aside = await moveAside({ ...host, files: { ...host.files, stat } }, store, NAME);
    const unmount = `umount --lazy ${folder}`;
    assert.deepEqual(commands(), [unmount, unmount]);
    assert.equal(await host.files.lstat(folder), null);
    assert.deepEqual(await host.files.list(`${store}/.disks`), []);
    assert.match(aside!, /\/\.machines\/\.leaving\/run-42-\d+$/);
    assert.deepEqual(await host.files.list(aside!), ["file"]);
    assert.deepEqual(await listRemovals(host, store), [aside]);
    assert.deepEqual(await listOldRemovals(host, store), [], "its removal begins just now");
    await host.clock.sleep(60_000);
    assert.deepEqual(await listOldRemovals(host, store), [aside]);
    assert.equal(await moveAside(host, store, NAME), null, "it can be repeated");
  }));

Deno.test("moveAside() is a failure of the host where something cannot be unmounted", () =>
  inMachine(async (folder) => {
    const { host } = mountingHost(() => ({ code: 32, stderr: "busy\n" }));
    const other = { ...(await host.files.stat(folder))!, dev: -1 };
    const stat = (path: string) => path === folder ? Promise.resolve(other) : host.files.stat(path);
    const store = folder.replace("/.machines/run-42", "");
    await assert.rejects(
      moveAside({ ...host, files: { ...host.files, stat } }, store, NAME),
      { kind: "host", message: /busy/ },
    );
  }));

Deno.test("startRemoval() removes behind all machines, and waits for nothing", () => {
  const { host, processes } = recordingHost();
  startRemoval(host, "systemd", []);
  startRemoval(host, "systemd", ["/nowhere/$(a)", "/nowhere/b"]);
  startRemoval(host, "standalone", ["/nowhere/a"]);
  const [systemd, standalone] = processes.map(({ argv }) => argv);
  assert.equal(processes.length, 2);
  assert.match(
    systemd!.join(" "),
    /^systemd-run .*--slice=machine-ci\.slice .*IOWeight=1 .*Nice=19/,
  );
  assert.deepEqual(systemd!.slice(-3), ["sh", "/nowhere/$(a)", "/nowhere/b"]);
  assert.deepEqual(standalone!.slice(0, 2), ["nice", "--adjustment=19"]);
  assert.ok(processes.every(({ options }) => "detached" in options && options.detached));
});

Deno.test("REMOVAL_SCRIPT and FINISH_UNIT_SCRIPT have nothing that systemd-run(1) expands", () => {
  for (const script of [REMOVAL_SCRIPT, FINISH_UNIT_SCRIPT]) {
    assert.doesNotMatch(script, /\$\{|\$\$/);
  }
});

Deno.test("finishArgv() removes behind all machines", () => {
  const argv = finishArgv(NAME, "/store/.machines/.leaving/run-42-1");
  assert.match(argv.join(" "), /^systemd-run .*--slice=machine-ci\.slice .*IOWeight=1 .*Nice=19/);
  assert.deepEqual(argv.slice(-4), [
    "/store/.machines/.leaving/run-42-1",
    "/run/systemd/transient/nspawn-runner-run-42.service",
    "/run/systemd/machines/run-42",
    "/run/systemd/nspawn/unix-export/run-42",
  ]);
});

/** Runs the script in a folder with a unit, a record and an export folder, all of which may be missing. */
function finish(folder: string) {
  const words = ["aside", "unit", "record", "export"].map((name) => `${folder}/${name}`);
  return new Deno.Command("sh", {
    args: ["-c", FINISH_UNIT_SCRIPT, "sh", ...words],
    stderr: "null",
  })
    .spawn();
}

const nap = () => new Promise((resolve) => setTimeout(resolve, 200));

Deno.test("FINISH_UNIT_SCRIPT removes what was written once it is moved aside and the unit is gone", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/unit`, "");
    await Deno.mkdir(`${folder}/export`);
    const { status } = finish(folder);
    await nap();
    await Deno.mkdir(`${folder}/aside/upper`, { recursive: true });
    await nap();
    assert.ok(await Deno.stat(`${folder}/aside/upper`), "nspawn may still use it");
    await Deno.remove(`${folder}/unit`);
    assert.ok((await status).success);
    assert.deepEqual(
      await Array.fromAsync(Deno.readDir(folder)),
      [],
      "also what a killed nspawn left",
    );
  });
});

Deno.test("FINISH_UNIT_SCRIPT leaves the mount of another machine of that name alone", async () => {
  await inFolder(async (folder) => {
    for (const name of ["aside", "export"]) await Deno.mkdir(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/record`, "");
    assert.ok((await finish(folder).status).success);
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(left.sort(), ["export", "record"]);
  });
});

Deno.test("finishRemoval() leaves a folder alone that another process removes, which is no failure", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ real: ["sh"] });
    const aside = `${folder}/it's $x`;
    await Deno.mkdir(`${aside}/below`, { recursive: true });
    assert.ok(!await isBeingRemoved(host, aside));
    using lock = await Deno.open(aside);
    await lock.lock(true);
    assert.ok(await isBeingRemoved(host, aside));
    const script = new Deno.Command("sh", { args: ["-c", REMOVAL_SCRIPT, "sh", aside] });
    assert.equal((await script.output()).code, 0, "no unit fails");
    await finishRemoval(host, aside);
    assert.deepEqual(await host.files.list(aside), ["below"]);
    await lock.unlock();
    await finishRemoval(host, aside);
    assert.equal(await host.files.lstat(aside), null);
    await finishRemoval(host, aside);
  });
});
