import assert from "node:assert/strict";
import { type Lease, listLeases, writeLease } from "../../../../src/machines/record/lease.ts";
import { endOverdue } from "../../../../src/machines/end/overdue.ts";
import { type Answer, inFolder } from "../../recording_host.ts";
import { leaseOf, serviceLeaseOf } from "../fixture.ts";
import { statOf } from "../fake_kernel.ts";
import { standaloneHost } from "../standalone_host.ts";

const DEAD = { pid: 90, start: 1 };
const ALIVE = { pid: 91, start: 1 };
const NOW = Date.UTC(2030, 0, 1);

interface Scene {
  readonly runner?: Lease["runner"];
  /** Seconds since boot. */
  readonly uptime?: number;
  readonly isRunning?: (lease: Lease) => Promise<boolean>;
  /** What happens to the lock of the machine before the sweep. */
  readonly lock?: "held" | "left";
  /** The lease of its job's machine, for that of a service. */
  readonly job?: Partial<Lease>;
  /** What the kernel says of 90 and 91, each time that it is asked. */
  readonly answers?: string[];
}

/** What a sweep ends a machine for; undefined where it does not. */
async function reason(change: Partial<Lease>, scene: Scene = {}): Promise<string | undefined> {
  let found: string | undefined;
  await inFolder(async (folder) => {
    const answers = [...scene.answers ?? []];
    const { host } = standaloneHost(folder, (argv): Answer | void => {
      if (argv[0] === "cat") return { stdout: answers.shift() ?? statOf(ALIVE.pid, ALIVE.start) };
    });
    const store = `${folder}/store`;
    const read = host.files.read;
    host.files.read = (path) => path === "/etc/machine-id" ? Promise.resolve("this\n") : read(path);
    await writeLease(host, leaseOf(store, "42", { boot: "now", ...change }));
    if (scene.job !== undefined) {
      await writeLease(host, leaseOf(store, "42", { boot: "now", runner: ALIVE, ...scene.job }));
    }
    await host.files.makeDirectory("/run/nspawn-runner");
    const path = "/run/nspawn-runner/run-42.lock";
    const lock = scene.lock === undefined ? null : await host.files.lock(path);
    if (scene.lock === "left") lock?.release();
    const present = {
      boot: "now",
      uptime: scene.uptime ?? null,
      runner: scene.runner ?? null,
      ...(scene.isRunning === undefined ? {} : { isRunning: scene.isRunning }),
    };
    const failures = await endOverdue(host, await listLeases(host, store), present, (overdue) => {
      found = overdue.reason;
      return Promise.resolve(true);
    });
    assert.equal(failures, 0);
    if (scene.lock === "held") lock?.release();
    else assert.deepEqual(await host.files.list("/run/nspawn-runner"), [], "no trace of a sweep");
  });
  return found;
}

Deno.test("endOverdue() leaves alone what somebody watches over", async () => {
  assert.equal(await reason({}), undefined);
  assert.equal(await reason({ runner: ALIVE }), undefined);
  assert.equal(await reason({ runner: DEAD }, { runner: DEAD }), undefined, "it called us");
  assert.equal(await reason({ preparer: ALIVE }), undefined);
  assert.equal(await reason({ held: new Date(NOW + 1000).toISOString(), runner: DEAD }), undefined);
  assert.equal(
    await reason({ leader: null, runner: ALIVE }, { isRunning: () => Promise.resolve(false) }),
    undefined,
  );
});

Deno.test("endOverdue() ends what nobody watches over, and says why", async () => {
  const past = new Date(NOW - 1000).toISOString();
  const reasons: readonly (readonly [Partial<Lease>, Scene, RegExp])[] = [
    [{ boot: "before" }, {}, /rebooted/],
    [{ preparer: DEAD }, {}, /its prepare was killed/],
    [{ runner: DEAD, description: {} as Lease["description"] }, {}, /its GitLab Runner has ended/],
    [{ runner: DEAD }, {}, /the process that started it has ended/],
    [{ runner: { ...ALIVE, start: 2 } }, {}, /the process that started it has ended/],
    [{ deadline: past }, {}, /its deadline was 20/],
    [{ runner: ALIVE, deadline: past }, {}, /its deadline was 20/],
    [{ held: past }, {}, /its files were kept until/],
    [{}, { lock: "left" }, /its prepare or cleanup was killed/],
    [{}, { isRunning: () => Promise.resolve(false) }, /it has ended/],
  ];
  for (const [change, scene, expected] of reasons) {
    assert.match(await reason(change, scene) ?? "", expected, JSON.stringify(change));
  }
});

Deno.test("endOverdue() leaves alone what somebody works on at this moment", async () => {
  assert.equal(await reason({ runner: DEAD }, { lock: "held" }), undefined);
});

Deno.test("endOverdue() looks again before it ends anything", async () => {
  // The first look came between two moments of a prepare that went well.
  assert.equal(await reason({ preparer: ALIVE }, { answers: ["", statOf(91, 1)] }), undefined);
});

Deno.test("endOverdue() goes by the time since boot, whatever the host's time is set to", async () => {
  const past = new Date(NOW - 1000).toISOString();
  const future = new Date(NOW + 1000).toISOString();
  const early = { deadline: past, deadlineUptime: 100 };
  assert.equal(await reason(early, { uptime: 99 }), undefined, "the host's time was set forward");
  assert.equal(await reason({ ...early, runner: ALIVE }, { uptime: 99 }), undefined);
  const late = { deadline: future, deadlineUptime: 100 };
  assert.match(await reason(late, { uptime: 101 }) ?? "", /its deadline was/);
  assert.match(await reason({ ...early, deadlineUptime: null }, { uptime: 99 }) ?? "", /deadline/);
});

Deno.test("endOverdue() leaves alone what another host runs in the same store, until long after its end", async () => {
  const other = { host: "another", boot: "before", runner: DEAD };
  assert.equal(await reason(other), undefined);
  const past = new Date(NOW - 1000).toISOString();
  assert.equal(await reason({ ...other, deadline: past }), undefined, "its clock may differ");
  const old = new Date(NOW - 2 * 86_400_000).toISOString();
  const ended = /another host should have ended it at 2029/;
  assert.match(await reason({ ...other, deadline: old }) ?? "", ended);
  assert.equal(await reason({ ...other, deadline: old, held: past }), undefined);
  assert.match(await reason({ ...other, deadline: old, held: old }) ?? "", ended);
  assert.match(await reason({ ...other, host: "this" }) ?? "", /rebooted/);
});

/** A service of job 42, by the process that starts the job's machines. */
function serviceOf(starter: typeof ALIVE, changes: Partial<Lease> = {}): Partial<Lease> {
  const { machine, service } = serviceLeaseOf("/store", "42", ["db"]);
  return { machine, service: { ...service!, starter }, ...changes };
}

const NAMED = { services: [{ machine: serviceOf(DEAD).machine!, aliases: ["db"] }] };

Deno.test("endOverdue() leaves a service alone as long as its job", async () => {
  assert.equal(await reason(serviceOf(ALIVE)), undefined, "the lease of its job may be removed");
  assert.equal(await reason(serviceOf(DEAD), { job: NAMED }), undefined);
  assert.equal(await reason(serviceOf(DEAD, { runner: ALIVE }), { job: NAMED }), undefined);
  const ended = { job: { ...NAMED, runner: null }, isRunning: () => Promise.resolve(false) };
  assert.match(await reason({}, ended) ?? "", /it has ended/, "as a job would be");
  const isRunning = ({ service }: Lease) => Promise.resolve(service === null);
  assert.equal(await reason(serviceOf(DEAD), { ...ended, isRunning }), undefined);
});

Deno.test("endOverdue() ends a service whose job has ended, or has other services", async () => {
  const ended = /its job has ended/;
  assert.match(await reason(serviceOf(DEAD)) ?? "", ended);
  assert.match(await reason(serviceOf(DEAD, { runner: ALIVE })) ?? "", ended);
  assert.match(await reason(serviceOf(DEAD), { job: { services: [] } }) ?? "", ended);
  assert.match(await reason(serviceOf(ALIVE, { preparer: DEAD })) ?? "", /prepare was killed/);
  assert.match(await reason(serviceOf(ALIVE, { runner: DEAD })) ?? "", /GitLab Runner has ended/);
});

Deno.test("endOverdue() leaves the services of a job alone whose lease it cannot read", async () => {
  const damaged = { ...NAMED, version: 2 } as unknown as Partial<Lease>;
  assert.equal(await reason(serviceOf(DEAD), { job: damaged }), undefined);
});
