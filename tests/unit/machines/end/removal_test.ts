import assert from "node:assert/strict";
import {
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
    assert.deepEqual(commands(), [`umount ${folder}`, `umount ${folder}`]);
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

Deno.test("REMOVAL_SCRIPT has nothing that systemd-run(1) expands", () => {
  assert.doesNotMatch(REMOVAL_SCRIPT, /\$\{|\$\$/);
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
