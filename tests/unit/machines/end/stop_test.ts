import assert from "node:assert/strict";
import { removeMachine, stopMachine } from "../../../../src/machines/end/stop.ts";
import { readHistory } from "../../../../src/history/read.ts";
import { type Lease, leasesOfHost, writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { KILL_IN_UNIT_SCRIPT, KILL_SCRIPT } from "../../../../src/machines/supervisor/systemd.ts";
import type { Host } from "../../../../src/host/host.ts";
import { inFolder } from "../../recording_host.ts";
import { jobLease } from "../../history/fixture.ts";
import { answerCat, HOST_FILES, statOf } from "../fake_kernel.ts";
import { leaseOf, serviceLeaseOf, start } from "../fixture.ts";
import { NAME, planIn, startingHost } from "../plain_machine.ts";
import { standaloneHost } from "../standalone_host.ts";

/** What there is below a folder, but for what the program keeps of this boot. */
async function leftIn(folder: string): Promise<string[]> {
  const found = await new Deno.Command("find", {
    args: [folder, "-type", "f", "-not", "-name", ".*"],
  }).output();
  return new TextDecoder().decode(found.stdout).split("\n").filter((line) => line !== "");
}

const quiet = new AbortController().signal;

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

Deno.test("stopMachine() removes the folder of a storage probe whose prepare was killed before it wrote a lease", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = standaloneHost(folder, () => {});
    const probeFolder = `${folder}/store/.machines/run-42`;
    await host.files.makeDirectory(`${probeFolder}/upper`);
    const store = () => Promise.resolve(`${folder}/store`);
    assert.equal(await stopMachine(host, store, machineName("42", undefined)), "none");
    assert.equal(await host.files.lstat(probeFolder), null);
    assert.deepEqual(commands(), []);
  });
});

Deno.test("stopMachine() leaves a machine of another host alone", () =>
  inFolder(async (folder) => {
    const { host, commands } = standaloneHost(folder, () => {});
    const { read } = host.files;
    host.files.read = (path) => path === "/etc/machine-id" ? Promise.resolve("this") : read(path);
    const store = `${folder}/store`;
    await writeLease(host, leaseOf(store, "42", { host: "another" }));
    const { machine } = leaseOf(store, "42");
    assert.equal(await stopMachine(host, () => Promise.resolve(store), machine), "none");
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-42.json"]);
    assert.deepEqual(commands(), []);
  }));

Deno.test("stopMachine() of nothing is done", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = () => Promise.resolve(`${folder}/store`);
    assert.equal(await stopMachine(host, store, machineName("42", undefined)), "none");
  });
});

Deno.test("stopMachine() takes away what a killed nspawn left of its machine", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = startingHost(folder);
    const lease = await start(host, planIn(folder), quiet);
    const left = `/run/systemd/nspawn/unix-export/${NAME}`;
    await host.files.makeDirectory(left);
    assert.ok(await stopMachine(host, () => Promise.resolve(lease.store), NAME));
    assert.ok(commands().includes(`umount --quiet ${left}`));
    assert.equal(await host.files.lstat(left), null);
  });
});

/** A machine of systemd that runs: SIGKILL ends its processes, and `endUnit` its unit. */
async function killScene(folder: string, changes: Partial<Lease> = {}) {
  const unit = "/run/systemd/transient/nspawn-runner-run-42.service";
  const scene = standaloneHost(folder, async ([, , script]) => {
    if (script === KILL_SCRIPT) await scene.host.files.remove("/run/systemd/machines/run-42");
    if (script === KILL_IN_UNIT_SCRIPT) {
      await scene.host.files.remove("/run/systemd/machines/run-42");
      await scene.host.files.remove(unit);
    }
  });
  const { host } = scene;
  const store = `${folder}/store`;
  const leader = {
    ...{ pid: 77, start: 9, cgroup: "/cg/nspawn-runner-run-42.service/payload/init.scope" },
    ...{ dropped: [], noNewPrivileges: false, filtered: true },
  };
  const lease = leaseOf(store, "42", { supervisor: "systemd", leader, ...changes });
  await writeLease(host, lease);
  for (const path of [`${store}/.machines/run-42/upper`, "/run/nspawn-runner/run-42"]) {
    await host.files.makeDirectory(path);
  }
  for (const name of ["machines", "transient"]) {
    await host.files.makeDirectory(`/run/systemd/${name}`);
  }
  await host.files.write("/run/systemd/machines/run-42", "LEADER=77\n");
  await host.files.write(unit, "");
  await host.files.symlink(`${store}/.leases/run-42.json`, "/run/nspawn-runner/run-42.lease");
  const stop = () => stopMachine(host, () => Promise.resolve(store), lease.machine);
  return { ...scene, store, unit, stop };
}

Deno.test("stopMachine() frees the name, ids and lease of a machine while its unit still ends", async () => {
  await inFolder(async (folder) => {
    const { host, store, unit, stop, processes } = await killScene(folder);
    assert.equal(await stop(), "removed");
    assert.ok(await host.files.lstat(unit) !== null, "nobody waited for it");
    assert.equal(processes.length, 1, "to start a process takes as long as to kill a machine");
    const [aside] = await host.files.list(`${store}/.machines/.leaving`);
    const { argv } = processes[0]!;
    assert.ok(argv.includes(`${store}/.machines/.leaving/${aside}`), "the background removes it");
    assert.deepEqual(await host.files.list(`${store}/.leases`), []);
    assert.deepEqual(await host.files.list(`${store}/.machines`), [".leaving"]);
    assert.deepEqual(await host.files.list("/run/nspawn-runner"), []);
  });
});

Deno.test("stopMachine() waits for no unit either where the machine's writes are on a file system of its own", async () => {
  for (const changes of [{ storage: "tmpfs" }, { diskMax: 1_000_000 }] as const) {
    await inFolder(async (folder) => {
      const { host, store, unit, stop, processes } = await killScene(folder, changes);
      await host.files.removeTree(`${store}/.machines/run-42/upper`); // it was on that file system
      await host.files.makeDirectory(`${store}/.disks`);
      await host.files.write(`${store}/.disks/run-42`, "");
      assert.equal(await stop(), "removed");
      assert.ok(await host.files.lstat(unit) !== null, "nobody waited for it");
      assert.equal(processes.length, 1, "there is nothing to remove in the background");
      for (const name of [".disks", ".leases", ".machines"]) {
        assert.deepEqual(await host.files.list(`${store}/${name}`), []);
      }
    });
  }
});

Deno.test("stopMachine() whose machine does not end keeps its lease, and the trace for housekeeping", async () => {
  await inFolder(async (folder) => {
    const { host, store, stop } = await killScene(folder);
    await host.files.write("/run/systemd/machines/run-42", "LEADER=77\n");
    const read = (path: string) =>
      path === "/run/systemd/machines/run-42"
        ? Promise.resolve("LEADER=77\n")
        : host.files.read(path);
    const stuck = { ...host, files: { ...host.files, read } };
    const find = () => Promise.resolve(store);
    await assert.rejects(stopMachine(stuck, find, machineName("42", undefined)), {
      message: /Cannot end machine run-42/,
    });
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-42.json"]);
    const left = await host.files.list("/run/nspawn-runner");
    assert.deepEqual(
      left,
      ["run-42.lease", "run-42.lock"],
      "other stores know its ids by the link",
    );
    assert.equal(await stop(), "removed", "it can be repeated");
  });
});

/** The PID 1 of a machine. */
const LEADER = {
  ...{ pid: 77, start: 9, cgroup: "/cg" },
  ...{ dropped: [], noNewPrivileges: false, filtered: true },
};

/** A host on which that process lives until it gets a signal. */
function hostWithLeader(folder: string): Host {
  let stat = statOf(77, 9);
  const { host } = standaloneHost(folder, (argv) => {
    if (argv.includes("/proc/77/stat")) {
      return answerCat(argv, { ...HOST_FILES, "/proc/77/stat": () => stat });
    }
  });
  const kill = () => {
    stat = "";
    return true;
  };
  return { ...host, processes: { ...host.processes, signal: kill } };
}

Deno.test("stopMachine() that keeps what a machine wrote keeps its ids, also for other stores", async () => {
  await inFolder(async (folder) => {
    const own = hostWithLeader(folder);
    const store = `${folder}/store`;
    const plan = {
      supervisor: "standalone",
      boot: "boot-1",
      leader: LEADER,
      keep: 60,
      ids: 65536,
    } as const;
    const lease = jobLease(store, plan);
    await writeLease(own, lease);
    await own.files.makeDirectory(`${store}/.machines/run-42/upper`);
    await own.files.makeDirectory("/run/nspawn-runner");
    await own.files.write("/run/nspawn-runner/run-42.failures", '{"own": true}');
    assert.equal(await stopMachine(own, () => Promise.resolve(store), lease.machine), "held");
    const [held] = await leasesOfHost(own, `${folder}/other`);
    assert.deepEqual([held?.machine, held?.ids], ["held-42", 65536]);
    await removeMachine(own, { ...lease, ...held! }, "its files were kept until then");
    assert.deepEqual(await leasesOfHost(own, `${folder}/other`), []);
    const { records } = await readHistory(own, store);
    assert.deepEqual(records.map(({ kept }) => kept), ["2030-01-01T00:01:00.000Z"]);
  });
});

/** A job with two services, of which the program's files and writes exist. */
async function jobWithServices(host: Host, store: string, changes: Partial<Lease>): Promise<Lease> {
  const own = { supervisor: "standalone", boot: "boot-1", ...changes } as const;
  const services = ["db", "web"].map((alias, index) =>
    serviceLeaseOf(store, "42", [alias], { ...own, cgroups: [`/cg/${alias}`] }, index + 1)
  );
  const names = services.map(({ machine }, index) => ({ machine, aliases: [`${index}`] }));
  const job = leaseOf(store, "42", { ...own, cgroups: ["/cg/job"], services: names });
  for (const lease of [job, ...services]) {
    await writeLease(host, lease);
    await host.files.makeDirectory(`${store}/.machines/${lease.machine}/upper`);
    await host.files.makeDirectory(`/run/nspawn-runner/${lease.machine}`);
  }
  return job;
}

Deno.test("stopMachine() ends the services of a job before its own machine", () =>
  inFolder(async (folder) => {
    const { host, commands } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const { machine } = await jobWithServices(host, store, {});
    assert.equal(await stopMachine(host, () => Promise.resolve(store), machine), "removed");
    const ended = commands().flatMap((line) => line.match(/\/cg\/\w+$/) ?? []);
    assert.equal(ended.at(-1), "/cg/job");
    assert.deepEqual([...new Set(ended)].toSorted(), ["/cg/db", "/cg/job", "/cg/web"]);
    assert.deepEqual(await leftIn(folder), []);
    assert.deepEqual(await host.files.list("/run/nspawn-runner"), []);
  }));

Deno.test("stopMachine() ends all other machines of a job where a service does not end", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, (argv) => {
      if (argv.at(-1) === "/cg/db") throw new Error("no cgroup");
    });
    const store = `${folder}/store`;
    const { machine } = await jobWithServices(host, store, {});
    const stop = () => stopMachine(host, () => Promise.resolve(store), machine);
    await assert.rejects(stop(), { message: "no cgroup" });
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["service-42-1.json"]);
    const traces = (await host.files.list("/run/nspawn-runner")).toSorted();
    assert.deepEqual(traces, ["run-42.lock", "service-42-1", "service-42-1.lock"]);
  }));

Deno.test("stopMachine() keeps what services wrote as long as what their failed job wrote", () =>
  inFolder(async (folder) => {
    const own = hostWithLeader(folder);
    const store = `${folder}/store`;
    const { machine } = await jobWithServices(own, store, { leader: LEADER, keep: 60, ids: 65536 });
    await own.files.write("/run/nspawn-runner/run-42.failures", '{"own": true}');
    assert.equal(await stopMachine(own, () => Promise.resolve(store), machine), "held");
    const held = ["held-42", "held-service-42-1", "held-service-42-2"];
    assert.deepEqual((await leasesOfHost(own, store)).map(({ machine }) => machine), held);
    const folders = (await own.files.list(`${store}/.machines`)).toSorted();
    assert.deepEqual(folders.filter((name) => name !== ".leaving"), held);
  }));

Deno.test("removeMachine() of a dead machine of a job records the job, with the reason and its services", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const service = serviceLeaseOf(store, "42", ["redis"]);
    const services = [{ machine: service.machine, aliases: ["redis"] }];
    const lease = jobLease(store, { supervisor: "standalone", services });
    await writeLease(host, service);
    await writeLease(host, lease);
    await removeMachine(host, lease, "its GitLab Runner has ended");
    const { records } = await readHistory(host, store);
    assert.deepEqual(records.map(({ outcome, reason }) => [outcome, reason]), [
      ["abandoned", "its GitLab Runner has ended"],
    ]);
    assert.deepEqual(records[0]!.services, [
      { image: "redis:1", aliases: ["redis"], code: null, failure: null },
    ]);
  }));

Deno.test("removeMachine() records no job of a machine that is undone, kept, or of no job", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const own = { supervisor: "standalone" } as const;
    await removeMachine(host, jobLease(store, own));
    await removeMachine(host, jobLease(store, { ...own, held: "2030-01-01" }), "a reason");
    await removeMachine(host, leaseOf(store, "42", own), "a reason");
    assert.deepEqual(await host.files.list(`${store}/.history`), []);
  }));
