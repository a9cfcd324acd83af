import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import type { MachinePlan } from "../../../../src/machines/record/plan.ts";
import { stopMachine } from "../../../../src/machines/end/stop.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { inFolder } from "../../recording_host.ts";
import { leaseOf, planOf, start } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

function planIn(folder: string): MachinePlan {
  return planOf(`${folder}/store`);
}

/** What there is below a folder, but for what the program keeps of this boot. */
async function leftIn(folder: string): Promise<string[]> {
  const found = await new Deno.Command("find", {
    args: [folder, "-type", "f", "-not", "-name", ".*"],
  }).output();
  return new TextDecoder().decode(found.stdout).split("\n").filter((line) => line !== "");
}

const quiet = new AbortController().signal;

Deno.test("startMachine() writes the lease before anything is created, and undoes all when it fails", async () => {
  await inFolder(async (folder) => {
    const plan = planIn(folder);
    let leased = false;
    const { host, commands } = standaloneHost(folder, ([program, ...words]) => {
      if (program === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
      if (!words.includes("systemd-nspawn") || program !== "sh") return;
      const lease = Deno.readTextFileSync(`${plan.store}/.leases/run-42.json`);
      leased = JSON.parse(lease).leader === null;
      return { code: 1 };
    });
    // Nobody is ever alive here: nspawn ended at once.
    await assert.rejects(start(host, plan, quiet), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, "host");
      return true;
    });
    assert.ok(leased);
    assert.ok(commands().some((line) => line.endsWith("/nspawn-runner-run-42")), "its cgroup ends");
    assert.deepEqual(await leftIn(folder), []);
  });
});

Deno.test("startMachine() refuses a machine that runs, and leaves its lease alone", async () => {
  await inFolder(async (folder) => {
    const plan = planIn(folder);
    const alive = `boot-1\n77 (x) S ${Array(18).fill("0").join(" ")} 9 0\n`;
    const { host } = standaloneHost(
      folder,
      ([program, ...words]) =>
        program === "cat" && words.includes("/proc/77/stat") ? { stdout: alive } : undefined,
    );
    const leader = {
      pid: 77,
      start: 9,
      cgroup: "/",
      dropped: [],
      noNewPrivileges: false,
      filtered: true,
    };
    const lease = leaseOf(plan.store, "42", { boot: "boot-1", supervisor: "standalone", leader });
    await writeLease(host, lease);
    await assert.rejects(start(host, plan, quiet), (error) => {
      assert.match(`${(error as Failure).message}`, /exists already/);
      assert.match(`${(error as Failure).hint}`, /cleanup --id 42/);
      return true;
    });
    assert.equal((await leftIn(folder)).length, 1, "the lease stays");
  });
});

Deno.test("stopMachine() removes all of a machine, also by the link when the store is another", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const lease = leaseOf(store, "42", { supervisor: "standalone", cgroups: ["/cg"] });
    await writeLease(host, lease);
    await host.files.makeDirectory(`${store}/.machines/run-42/upper`);
    await host.files.write(`${store}/.machines/run-42/upper/file`, "x");
    await host.files.makeDirectory("/run/nspawn-runner/run-42");
    await host.files.write("/run/nspawn-runner/run-42/script-x", "secret");
    await host.files.write("/run/nspawn-runner/run-42.log", "last words");
    await host.files.symlink(`${store}/.leases/run-42.json`, "/run/nspawn-runner/run-42.lease");
    const elsewhere = () => Promise.reject(new Error("the configuration was read"));
    assert.equal(await stopMachine(host, elsewhere, lease.machine), "removed");
    assert.deepEqual(await leftIn(folder), []);
  });
});

Deno.test("stopMachine() takes away the trial of a prepare that was killed before it wrote a lease", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = standaloneHost(folder, () => {});
    const trial = `${folder}/store/.machines/run-42`;
    await host.files.makeDirectory(`${trial}/upper`);
    const store = () => Promise.resolve(`${folder}/store`);
    assert.equal(await stopMachine(host, store, machineName("42", undefined)), "none");
    assert.equal(await host.files.lstat(trial), null);
    assert.deepEqual(commands(), []);
  });
});

Deno.test("stopMachine() of nothing is done", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = () => Promise.resolve(`${folder}/store`);
    assert.equal(await stopMachine(host, store, machineName("42", undefined)), "none");
  });
});
