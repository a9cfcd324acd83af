/** What a machine's start decides, and what it leaves wherever it fails: nothing. */

import assert from "node:assert/strict";
import type { MachineSettings } from "../../../../src/config/settings.ts";
import type { MachinePlan } from "../../../../src/machines/record/plan.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { leaseLink } from "../../../../src/machines/record/paths.ts";
import { supervisorOf } from "../../../../src/machines/supervisor/choose.ts";
import { type Answer, inFolder, type Recording } from "../../recording_host.ts";
import { planOf, SETTINGS, start } from "../fixture.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { standaloneHost } from "../standalone_host.ts";

const NAME = machineName("42", undefined);
const UNIT = "/run/systemd/transient/nspawn-runner-run-42.service";
const RECORD = `/run/systemd/machines/${NAME}`;
const quiet = new AbortController().signal;

function planIn(folder: string, settings: Partial<MachineSettings> = {}): MachinePlan {
  const own = { ...SETTINGS, storage: "overlay", boot: true, ...settings } as const;
  return planOf(`${folder}/store`, { settings: own });
}

/** A machine's PID 1 that has dropped what it must. */
const INIT = { pid: 77, start: 9, isInit: true, bounding: "a00405fb", noNewPrivileges: () => true };
const KERNEL = { ...HOST_FILES, ...processFiles(INIT) };

/** A host with systemd, on which a unit is a file as long as it runs. */
async function systemdHost(
  folder: string,
  answer: (argv: readonly string[]) => Answer | void = () => {},
): Promise<Recording> {
  const recording = standaloneHost(folder, async (argv): Promise<Answer> => {
    const given = answer(argv);
    if (given) return given;
    if (argv[0] === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
    if (argv[0] === "systemd-run") {
      for (const path of [UNIT, RECORD]) await Deno.writeTextFile(folder + path, "LEADER=77\n");
    }
    if (argv[0] === "systemctl" && argv[1] === "kill") {
      for (const path of [UNIT, RECORD]) await Deno.remove(folder + path).catch(() => {});
    }
    if (argv[0] === "umount") mounted.delete(argv.at(-1)!);
    if (argv[0] === "mount") mounted.add(argv.at(-1)!);
    return answerCat(argv, KERNEL) ?? {};
  });
  const mounted = new Set<string>();
  const { files } = recording.host;
  for (const path of ["/run/systemd/system", "/run/systemd/transient", "/run/systemd/machines"]) {
    await files.makeDirectory(path);
  }
  const stat = async (path: string) => {
    const stat = await files.stat(path);
    const above = [...mounted].filter((point) => `${path}/`.startsWith(`${point}/`));
    return stat && { ...stat, dev: stat.dev + above.length };
  };
  return { ...recording, host: { ...recording.host, files: { ...files, stat } } };
}

/** Every file below a folder but those that are kept as long as the host is up. */
async function leftIn(folder: string): Promise<string[]> {
  const words = [folder, "-not", "-type", "d", "-not", "-name", ".*", "-not", "-name", "*.lock"];
  const found = await new Deno.Command("find", { args: words }).output();
  return new TextDecoder().decode(found.stdout).split("\n").filter((line) => line !== "");
}

/** Gives a chroot these files. */
async function chrootWith(folder: string, ...paths: string[]): Promise<void> {
  for (const path of paths) {
    const full = `${folder}/store/bookworm/${path}`;
    await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(full, "");
  }
}

const SYSTEMD = "usr/lib/systemd/systemd";
const BUS = "usr/bin/dbus-daemon";

/** What is in a chroot, what the configuration says, whether the machine boots. */
const BOOTS: readonly (readonly [readonly string[], boolean, boolean])[] = [
  [[SYSTEMD, BUS], true, true],
  [["lib/systemd/systemd", "usr/bin/dbus-broker"], true, true],
  [[SYSTEMD, BUS], false, false],
  [[SYSTEMD], true, false],
  [[BUS], true, false],
  [[], true, false],
];

for (const [there, boot, boots] of BOOTS) {
  Deno.test(`startMachine() ${boots ? "boots" : "does not boot"} ${there} with boot = ${boot}`, async () => {
    await inFolder(async (folder) => {
      await chrootWith(folder, ...there);
      const { host, processes } = await systemdHost(folder);
      const readEnd = () => Promise.resolve("ready\n");
      const ready = { ...host, files: { ...host.files, readEnd } };
      const lease = await start(ready, planIn(folder, { boot }), quiet);
      assert.equal(lease.booted, boots);
      assert.ok(supervisorOf(lease).enforcesLimits);
      assert.deepEqual([lease.supervisor, lease.cgroups], ["systemd", []]);
      const { argv } = processes.find(({ argv }) => argv[0] === "systemd-run")!;
      assert.equal(argv.includes("--boot"), boots);
    });
  });
}

/** Where a start fails, the process that fails there, and what it then has to undo. */
const STEPS: readonly (readonly [string, string, readonly string[]])[] = [
  ["its storage", "mount", []],
  ["its version", "systemd-nspawn", []],
  ["its unit", "systemd-run", ["umount"]],
];

for (const [step, program, undone] of STEPS) {
  Deno.test(`startMachine() that fails at ${step} leaves nothing`, async () => {
    await inFolder(async (folder) => {
      await chrootWith(folder, SYSTEMD, BUS);
      const precious = await leftIn(folder);
      const plan = planIn(folder, { storage: "tmpfs" });
      let leased = false;
      const { host, commands } = await systemdHost(folder, ([name]) => {
        if (name !== program) return;
        leased = JSON.parse(Deno.readTextFileSync(`${plan.store}/.leases/${NAME}.json`)) !== null;
        return { code: 1, stderr: `${name} says why\n` };
      });
      await assert.rejects(start(host, plan, quiet), { kind: "host" });
      assert.ok(leased, "the lease is first");
      assert.deepEqual(await leftIn(folder), precious);
      assert.deepEqual(await host.files.list(`${plan.store}/.machines`), []);
      const undoing = commands().map((line) => line.split(" ")[0]!);
      assert.deepEqual(undoing.filter((name) => name === "umount"), undone);
    });
  });
}

Deno.test("startMachine() that fails where its channel is opened leaves nothing", async () => {
  await inFolder(async (folder) => {
    const { host } = await systemdHost(folder);
    const write = () => Promise.reject(new Error("disk full"));
    const files = { ...host.files, write };
    await assert.rejects(start({ ...host, files }, planIn(folder), quiet), /disk full/);
    assert.deepEqual(await leftIn(folder), []);
    assert.deepEqual(await host.files.list(`${folder}/store/.machines`), []);
  });
});

Deno.test("startMachine() that fails and cannot undo it reports the first failure and keeps the lease", async () => {
  await inFolder(async (folder) => {
    const { host, err } = await systemdHost(folder, ([program]): Answer | void => {
      if (program === "systemd-run") return { code: 1, stderr: "no unit\n" };
      if (program === "umount") return { code: 32, stderr: "target is busy\n" };
    });
    const plan = planIn(folder, { storage: "tmpfs" });
    await assert.rejects(start(host, plan, quiet), { kind: "host", message: /no unit/ });
    assert.match(err(), /target is busy/);
    // What is left is still known, so that a cleanup finds it.
    assert.ok(await host.files.lstat(`${plan.store}/.leases/${NAME}.json`));
  });
});

Deno.test("startMachine() ends a machine that started and is not to be found", async () => {
  await inFolder(async (folder) => {
    await chrootWith(folder, SYSTEMD, BUS);
    const { host, commands } = await systemdHost(folder, (argv): Answer | void => {
      if (argv.includes("/proc/77/stat")) return { stdout: "" };
    });
    await assert.rejects(start(host, planIn(folder), quiet), { kind: "host" });
    assert.ok(commands().some((line) => line.startsWith("systemctl kill --signal=SIGKILL ")));
    assert.equal(await host.files.lstat(UNIT), null);
    assert.deepEqual(await host.files.list(`${folder}/store/.leases`), []);
  });
});

Deno.test("startMachine() that is undone ends the unit also where systemd makes it late", async () => {
  await inFolder(async (folder) => {
    await chrootWith(folder, SYSTEMD, BUS);
    const { host, commands } = await systemdHost(folder, ([program]): Answer | void => {
      if (program === "systemd-run") return { code: 143 }; // it had asked
    });
    let asked = false;
    const remove = async (path: string) => {
      // The last moment at which it starts: the unit needs this link.
      if (path === leaseLink(NAME) && asked) await host.files.write(UNIT, "", 0o644);
      asked = true; // the first time is the claim's
      await host.files.remove(path);
    };
    const late = { ...host, files: { ...host.files, remove } };
    await assert.rejects(start(late, planIn(folder), quiet), { kind: "host" });
    assert.ok(commands().some((line) => line.startsWith("systemctl kill --signal=SIGKILL ")));
    assert.equal(await host.files.lstat(UNIT), null);
  });
});
