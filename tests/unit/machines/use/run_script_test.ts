/** A machine's whole life on a host without systemd: started, used, refused twice, swept. */

import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import type { Lease } from "../../../../src/machines/record/lease.ts";
import { findLease, writeLease } from "../../../../src/machines/record/lease.ts";
import { runStage } from "../../../../src/machines/use/run_script.ts";
import type { MachinePlan } from "../../../../src/machines/record/plan.ts";
import { stopMachine } from "../../../../src/machines/end/stop.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { supervisorOf } from "../../../../src/machines/supervisor/choose.ts";
import { type Answer, inFolder } from "../../recording_host.ts";
import { leaseOf, planOf, start } from "../fixture.ts";
import {
  answerCat,
  HOST_FILES,
  type KernelFiles,
  nspawnFiles,
  processFiles,
} from "../fake_kernel.ts";
import { standaloneHost } from "../standalone_host.ts";

const NAME = machineName("42", "ba7816bf");
const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/cg/m",
  dropped: [12],
  noNewPrivileges: false,
  filtered: true,
};
const quiet = new AbortController().signal;

function planIn(folder: string): MachinePlan {
  return planOf(`${folder}/store`, { name: NAME });
}

const INIT = { pid: 77, start: 9, isInit: true, bounding: "a00405fb", noNewPrivileges: () => true };

/** A host on which a plain machine starts: nspawn is process 1000 and on, the machine's PID 1 is 77. */
function startingHost(folder: string, onDescribed = () => {}) {
  const { result } = machinePaths(planIn(folder).store, NAME);
  const files: KernelFiles = {
    ...HOST_FILES,
    ...nspawnFiles("76 77 "),
    ...processFiles({ pid: 76, start: 8, isInit: false }),
    ...processFiles(INIT),
    "/proc/77/uid_map": () => (onDescribed(), "0 0 4294967295\n"),
  };
  return standaloneHost(folder, (argv): Answer | void | Promise<Answer> => {
    if (argv[0] === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
    if (argv.includes("systemd-nspawn")) {
      Deno.writeTextFileSync(result, "ready\n", { append: true });
      return new Promise(() => {}); // lives on
    }
    return answerCat(argv, files);
  });
}

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
    assert.match(commands().at(-1)!, new RegExp(`/nspawn-runner-${NAME}$`), "its cgroup is ended");
    assert.deepEqual(await host.files.list(`${plan.store}/.leases`), []);
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

Deno.test("startMachine() sweeps what died, and what another boot or process of that pid left", async () => {
  const gone: Partial<Lease>[] = [
    { leader: null },
    { leader: { ...LEADER, start: 8 } },
    { preparer: { pid: 77, start: 8 } },
    { leader: LEADER, boot: "boot-0" },
    { preparer: { pid: 77, start: 9 }, boot: "boot-0" },
  ];
  for (const lease of gone) assert.equal(await refusal(lease), null, JSON.stringify(lease));
});

/** Runs a stage in a machine whose systemd or nsenter answers like this. */
async function stage(folder: string, lease: Partial<Lease>, report: (nonce: string) => string) {
  const store = `${folder}/store`;
  const paths = machinePaths(store, NAME);
  const seen: string[] = [];
  const recording = standaloneHost(folder, (argv): Answer | void => {
    if (argv.includes("is-system-running")) return { stdout: "running\n" };
    const reporter = argv.indexOf("/run/nspawn-runner/reporter");
    if (reporter === -1) return answerCat(argv, { ...HOST_FILES, ...processFiles(INIT) });
    const nonce = argv[reporter + 1]!;
    seen.push(Deno.readTextFileSync(`${folder}${paths.stage}/script-${nonce}`));
    Deno.writeTextFileSync(paths.result, report(nonce), { append: true });
  });
  const { host } = recording;
  const old = { machine: NAME, boot: "boot-1", supervisor: "standalone", leader: LEADER };
  await writeLease(host, { ...leaseOf(store, "42"), ...old, ...lease } as Lease);
  await host.files.makeDirectory(paths.own);
  await host.files.makeDirectory(paths.stage);
  const script = new TextEncoder().encode("#!/bin/dash\nsecret\n");
  const run = runStage(
    host,
    () => Promise.resolve(store),
    NAME,
    { script, shell: undefined },
    quiet,
  );
  return { run, seen, left: () => host.files.list(paths.stage), ...recording };
}

for (const booted of [true, false]) {
  const kind = booted ? "booted" : "plain";
  Deno.test(`runStage() runs the script in a ${kind} machine and takes it away again`, async () => {
    await inFolder(async (folder) => {
      const report = (nonce: string) => `${nonce} started\n${nonce} 3\n`;
      const { run, seen, left, commands } = await stage(folder, { booted }, report);
      assert.deepEqual((await run).ending, { kind: "exited", code: 3 });
      assert.deepEqual(seen, ["#!/bin/dash\nsecret\n"]);
      assert.deepEqual(await left(), []);
      assert.ok(commands().some((line) => line.includes(booted ? "systemd-run" : "setpriv")));
      assert.ok(!commands().join().includes("secret"));
    });
  });

  Deno.test(`runStage() takes the script away from a ${kind} machine that it failed to enter`, async () => {
    await inFolder(async (folder) => {
      const { run, left } = await stage(folder, { booted }, () => "");
      await assert.rejects(run, { kind: "host" });
      assert.deepEqual(await left(), []);
    });
  });
}

Deno.test("runStage() says which machine is not there, or has ended", async () => {
  const cases: readonly (readonly [Partial<Lease>, RegExp])[] = [
    [{ machine: machineName("43", undefined) }, /there is none/],
    [{ leader: null }, /has ended/],
    [{ leader: { ...LEADER, start: 8 } }, /has ended/],
    [{ boot: "boot-0" }, /has ended/],
  ];
  for (const [lease, message] of cases) {
    await inFolder(async (folder) => {
      const { run, seen } = await stage(folder, lease, () => "");
      await assert.rejects(run, message);
      assert.deepEqual(seen, []);
    });
  }
});
