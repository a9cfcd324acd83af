/** What a machine's start decides, and what it leaves wherever it fails: nothing. */

import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import type { MachineSettings } from "../../../../src/config/settings.ts";
import { findLease, type Lease, writeLease } from "../../../../src/machines/record/lease.ts";
import type { MachinePlan } from "../../../../src/machines/record/plan.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { leaseLink, machinePaths } from "../../../../src/machines/record/paths.ts";
import { supervisorOf } from "../../../../src/machines/supervisor/choose.ts";
import { type Answer, inFolder, type Recording } from "../../recording_host.ts";
import { leaseOf, planOf, SETTINGS, start } from "../fixture.ts";
import { LEADER, NAME, planIn, startingHost } from "../plain_machine.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { standaloneHost } from "../standalone_host.ts";

const BOOTED = machineName("42", undefined);
const UNIT = "/run/systemd/transient/nspawn-runner-run-42.service";
const RECORD = `/run/systemd/machines/${BOOTED}`;
const quiet = new AbortController().signal;

function bootedPlan(folder: string, settings: Partial<MachineSettings> = {}): MachinePlan {
  const own = { ...SETTINGS, storage: "overlay", boot: true, ...settings } as const;
  return planOf(`${folder}/store`, { settings: own });
}

/** A machine's PID 1 that has dropped what it must. */
const INIT = { pid: 77, start: 9, isInit: true, bounding: "a00405fb", noNewPrivileges: () => true };
const KERNEL = { ...HOST_FILES, ...processFiles(INIT) };

/** Reports as the server of a machine that nspawn starts. */
async function reportReady(argv: readonly string[]): Promise<void> {
  const bind = argv.find((word) => word.endsWith(":/run/nspawn-runner/result"))!;
  await Deno.writeTextFile(bind.replace(/^--bind=/, "").split(":")[0]!, "ready\n");
}

/** A host with systemd, on which a unit is a file as long as it runs. */
async function systemdHost(
  folder: string,
  answer: (argv: readonly string[]) => Answer | void = () => {},
): Promise<Recording> {
  const recording = standaloneHost(folder, async (argv): Promise<Answer> => {
    const given = answer(argv);
    if (given) return given;
    if (argv[0] === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
    if (argv[0] === "systemd-run" && argv.includes("systemd-nspawn")) {
      for (const path of [UNIT, RECORD]) await Deno.writeTextFile(folder + path, "LEADER=77\n");
      await reportReady(argv);
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
      const lease = await start(ready, bootedPlan(folder, { boot }), quiet);
      assert.equal(lease.booted, boots);
      assert.ok(supervisorOf(lease).enforcesLimits);
      assert.deepEqual([lease.supervisor, lease.cgroups], ["systemd", []]);
      const { argv } = processes.find(({ argv }) => argv[0] === "systemd-run")!;
      assert.equal(argv.includes("--boot"), boots);
    });
  });
}

Deno.test("startMachine() tells scripts the CPU quota, unless the image does, where it is enforced", async () => {
  const told = async (cpu_quota: string) => {
    let environment: string | undefined;
    await inFolder(async (folder) => {
      await chrootWith(folder, SYSTEMD, BUS);
      const { host } = await systemdHost(folder);
      const write = async (path: string, text: string | Uint8Array, mode?: number) => {
        if (path.endsWith("/environment")) environment = String(text);
        await host.files.write(path, text, mode);
      };
      const limits = { ...SETTINGS.limits, cpu_quota };
      const plan = bootedPlan(folder, { limits });
      await start({ ...host, files: { ...host.files, write } }, plan, quiet);
    });
    return environment;
  };
  assert.equal(await told("150%"), "OMP_THREAD_LIMIT=2\n");
  assert.equal(await told("infinity"), undefined);
});

/** Where a start fails, the process that fails there, and what it then has to undo. */
const STEPS: readonly (readonly [string, string, readonly string[]])[] = [
  ["its storage", "mount", []],
  ["its unit", "systemd-run", ["umount"]],
];

for (const [step, program, undone] of STEPS) {
  Deno.test(`startMachine() that fails at ${step} leaves nothing`, async () => {
    await inFolder(async (folder) => {
      await chrootWith(folder, SYSTEMD, BUS);
      const precious = await leftIn(folder);
      const plan = bootedPlan(folder, { storage: "tmpfs" });
      let leased = false;
      const { host, commands } = await systemdHost(folder, ([name]) => {
        if (name !== program || leased) return;
        leased = JSON.parse(Deno.readTextFileSync(`${plan.store}/.leases/${BOOTED}.json`)) !== null;
        return { code: 1, stderr: `${name} says why\n` };
      });
      await assert.rejects(start(host, plan, quiet), { kind: "host" });
      assert.ok(leased, "the lease is first");
      assert.deepEqual(await leftIn(folder), precious);
      for (const name of await host.files.list(`${plan.store}/.machines`)) {
        assert.equal(name, ".leaving");
      }
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
    await assert.rejects(start({ ...host, files }, bootedPlan(folder), quiet), /disk full/);
    assert.deepEqual(await leftIn(folder), []);
    assert.deepEqual(await host.files.list(`${folder}/store/.machines/.leaving`), []);
  });
});

Deno.test("startMachine() that fails and cannot undo it reports the first failure and keeps the lease", async () => {
  await inFolder(async (folder) => {
    const { host, err } = await systemdHost(folder, ([program]): Answer | void => {
      if (program === "systemd-run") return { code: 1, stderr: "no unit\n" };
      if (program === "umount") return { code: 32, stderr: "target is busy\n" };
    });
    const plan = bootedPlan(folder, { storage: "tmpfs" });
    await assert.rejects(start(host, plan, quiet), { kind: "host", message: /no unit/ });
    assert.match(err(), /target is busy/);
    // What is left is still known, so that a cleanup finds it.
    assert.ok(await host.files.lstat(`${plan.store}/.leases/${BOOTED}.json`));
  });
});

Deno.test("startMachine() ends a machine that started and is not to be found", async () => {
  await inFolder(async (folder) => {
    await chrootWith(folder, SYSTEMD, BUS);
    const { host, commands } = await systemdHost(folder, (argv): Answer | void => {
      if (argv.includes("/proc/77/stat")) return { stdout: "" };
    });
    await assert.rejects(start(host, bootedPlan(folder), quiet), { kind: "host" });
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
      if (path === leaseLink(BOOTED) && asked) await host.files.write(UNIT, "", 0o644);
      asked = true; // the first time is the reservation's
      await host.files.remove(path);
    };
    const late = { ...host, files: { ...host.files, remove } };
    await assert.rejects(start(late, bootedPlan(folder), quiet), { kind: "host" });
    assert.ok(commands().some((line) => line.startsWith("systemctl kill --signal=SIGKILL ")));
    assert.equal(await host.files.lstat(UNIT), null);
  });
});

Deno.test("startMachine() starts a machine, and its lease says how to enter it", async () => {
  await inFolder(async (folder) => {
    const plan = planIn(folder);
    const { host, processes } = startingHost(folder);
    const lease = await start(host, plan, quiet);
    assert.equal(supervisorOf(lease).enforcesLimits, false);
    const { dropped, ...leader } = lease.leader!;
    assert.ok(dropped.includes(12) && dropped.includes(21) && !dropped.includes(0));
    assert.deepEqual(leader, {
      pid: 77,
      start: 9,
      cgroup: "/sys/fs/cgroup/m",
      noNewPrivileges: true,
      filtered: true,
    });
    assert.deepEqual([lease.preparer, lease.booted, lease.storage], [null, false, "overlay"]);
    const nspawn = processes.find(({ argv }) =>
      argv.includes("systemd-nspawn") && argv.length > 2
    )!;
    assert.equal(nspawn.argv[4], `/sys/fs/cgroup/nspawn-runner-${NAME}`);
    assert.ok("detached" in nspawn.options && nspawn.options.detached);
    assert.ok(nspawn.argv.includes("--register=no"));
    // What a machine keeps open of ours would keep our caller waiting for ever.
    assert.deepEqual([nspawn.options.stdout, nspawn.options.stderr], ["null", "null"]);
  });
});

Deno.test("startMachine() makes a link to the lease that the machine itself cannot reach", async () => {
  await inFolder(async (folder) => {
    const plan = planIn(folder);
    const { host, processes } = startingHost(folder);
    const lease = await start(host, plan, quiet);
    const elsewhere = () => Promise.reject(new Error("the configuration was read"));
    assert.deepEqual(await findLease(host, NAME, elsewhere), lease);
    const binds = processes.flatMap(({ argv }) => argv).filter((word) => word.startsWith("--bind"));
    const shown = binds.map((word) => word.split("=")[1]!.split(":")[0]!);
    assert.equal(shown.length, 3);
    for (const path of shown) {
      const moved = path.startsWith("/run/") ? folder + path : path;
      const found = await new Deno.Command("find", { args: [moved, "-type", "l"] }).output();
      assert.equal(new TextDecoder().decode(found.stdout), "", path);
    }
  });
});

Deno.test("startMachine() replaces a link that led to another store", async () => {
  await inFolder(async (folder) => {
    const { host } = startingHost(folder);
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.symlink("/nonexistent/lease.json", `/run/nspawn-runner/${NAME}.lease`);
    const lease = await start(host, planIn(folder), quiet);
    assert.deepEqual(await findLease(host, NAME, () => Promise.reject(new Error())), lease);
  });
});

Deno.test("startMachine() that is interrupted begins nothing and says so", async () => {
  await inFolder(async (folder) => {
    const plan = planIn(folder);
    const { host, commands } = startingHost(folder);
    await assert.rejects(start(host, plan, AbortSignal.abort()), (error) => {
      assert.ok(error instanceof Failure);
      assert.deepEqual([error.kind, error.message], [
        "host",
        `Cannot start machine ${NAME}: interrupted`,
      ]);
      return true;
    });
    assert.ok(!commands().some((line) => line.includes("systemd-nspawn")));
    assert.equal(await host.files.lstat(machinePaths(plan.store, NAME).folder), null);
    assert.deepEqual(await host.files.list(`${plan.store}/.leases`), []);
    const runtime = await host.files.list("/run/nspawn-runner");
    assert.deepEqual(runtime.filter((name) => !name.startsWith(".")), []);
  });
});

Deno.test("startMachine() that is interrupted when all is done already undoes all as well", async () => {
  await inFolder(async (folder) => {
    const plan = planIn(folder);
    const late = new AbortController();
    const { host, commands } = startingHost(folder, () => late.abort());
    await assert.rejects(start(host, plan, late.signal), /interrupted/);
    const isEnd = (line: string) => line.endsWith(`/nspawn-runner-${NAME}`);
    assert.ok(commands().slice(-3).some(isEnd), "its cgroup is ended");
    assert.deepEqual(await host.files.list(`${plan.store}/.leases`), []);
  });
});

async function refusal(lease: Partial<Lease>): Promise<Failure | null> {
  let failure: Failure | null = null;
  await inFolder(async (folder) => {
    const { host } = startingHost(folder);
    const plan = planIn(folder);
    const old = { machine: NAME, boot: "boot-1", supervisor: "standalone", cgroups: ["/old"] };
    await writeLease(host, { ...leaseOf(plan.store, "42"), ...old, ...lease } as Lease);
    await start(host, plan, quiet).catch((error) => void (failure = error));
  });
  return failure;
}

Deno.test("startMachine() refuses a machine that runs, with the id that ends it by hand", async () => {
  const failure = await refusal({ leader: LEADER });
  assert.match(failure?.message ?? "", /exists already/);
  assert.match(failure?.hint ?? "", /cleanup --id 42-ba7816bf$/);
});

Deno.test("startMachine() waits for another process that starts or ends that machine, but not for ever", async () => {
  await inFolder(async (folder) => {
    const { host } = startingHost(folder);
    await host.files.makeDirectory("/run/nspawn-runner");
    const lock = await host.files.lock(`/run/nspawn-runner/${NAME}.lock`);
    const began = host.clock.now();
    await assert.rejects(start(host, planIn(folder), quiet), {
      kind: "host",
      message: /another process/,
    });
    assert.ok(host.clock.now() - began >= 10_000);
    lock?.release();
    await start(host, planIn(folder), quiet);
    assert.equal(await host.files.lstat(`/run/nspawn-runner/${NAME}.lock`), null);
  });
});

Deno.test("startMachine() replaces a machine of that name whose process has ended, or lived in another boot", async () => {
  const gone: Partial<Lease>[] = [
    { leader: null },
    { leader: { ...LEADER, start: 8 } },
    { preparer: { pid: 77, start: 8 } },
    { leader: LEADER, boot: "boot-0" },
    { preparer: { pid: 77, start: 9 }, boot: "boot-0" },
  ];
  for (const lease of gone) assert.equal(await refusal(lease), null, JSON.stringify(lease));
});

/** Every file below a folder but those that the program keeps until the host reboots. */
async function recordsIn(folder: string): Promise<string[]> {
  const found = await new Deno.Command("find", {
    args: [folder, "-type", "f", "-not", "-name", ".*"],
  }).output();
  return new TextDecoder().decode(found.stdout).split("\n").filter((line) => line !== "");
}

Deno.test("startMachine() writes the lease before anything is created, and undoes all when it fails", async () => {
  await inFolder(async (folder) => {
    const plan = planOf(`${folder}/store`);
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
    assert.deepEqual(await recordsIn(folder), []);
  });
});

Deno.test("startMachine() refuses a machine that runs, and leaves its lease alone", async () => {
  await inFolder(async (folder) => {
    const plan = planOf(`${folder}/store`);
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
    assert.equal((await recordsIn(folder)).length, 1, "the lease stays");
  });
});

Deno.test("startMachine() starts nothing where the plan refuses ids of the host, and leaves nothing", () =>
  inFolder(async (folder) => {
    const { host, commands } = standaloneHost(folder, (argv): Answer | void => {
      if (argv.includes("--version")) return { stdout: "systemd 252 (252)\n" };
    });
    const given: boolean[] = [];
    const plan = planOf(`${folder}/store`, {
      changesTree: true,
      onUnconfined(_tree, isBooted) {
        given.push(isBooted);
        throw new Failure("refused", "not with these");
      },
    });
    await assert.rejects(start(host, plan, quiet), /not with these/);
    assert.deepEqual(given, [false]);
    const started = commands().filter((line) => /systemd-nspawn .*--directory/.test(line));
    assert.deepEqual([started, await leftIn(`${folder}/store`)], [[], []]);
  }));

Deno.test("startMachine() starts a machine that changes a tree on it, without a hosts file of its own", () =>
  inFolder(async (folder) => {
    const { host, commands } = await systemdHost(folder);
    const plan = planOf(`${folder}/store`, { changesTree: true });
    await chrootWith(folder, "etc/hosts");
    await start(host, plan, quiet);
    const [run = ""] = commands().filter((line) => line.startsWith("systemd-run"));
    assert.match(run, new RegExp(`--directory=${folder}/store/bookworm `));
    assert.doesNotMatch(run, /etc\/hosts/);
  }));
