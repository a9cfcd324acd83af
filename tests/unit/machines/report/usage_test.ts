import assert from "node:assert/strict";
import { explainFailure } from "../../../../src/machines/report/explain.ts";
import { noteFailure, readFailures } from "../../../../src/machines/report/failures.ts";
import { summarizeServices, summarizeUsage } from "../../../../src/machines/report/summary.ts";
import { parseUsage, readUsage } from "../../../../src/machines/report/usage.ts";
import type { Ending } from "../../../../src/ending.ts";
import { type Lease, writeLease } from "../../../../src/machines/record/lease.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf, serviceLeaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const GIB = 1024 ** 3;

const TEXT = `      Avail    1B-blocks IFree Inodes
 ${20 * GIB} ${100 * GIB} 1234 5678
memory.current 1048576
memory.peak ${300 * 1024 ** 2}
memory.max ${300 * 1024 ** 2}
memory.high ${200 * 1024 ** 2}
memory.pressure some avg10=0.00 avg60=0.00 avg300=0.00 total=99000000
memory.pressure full avg10=0.00 avg60=0.00 avg300=0.00 total=2000000
memory.events low 0
memory.events high 31
memory.events oom 7
memory.events oom_kill 2
memory.events oom_group_kill 0
pids.current 3
pids.max 60
pids.events max 5
pids.peak 42
io.stat 8:0 rbytes=1000 wbytes=2000 rios=1 wios=2 dbytes=0 dios=0
io.stat 7:1 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=0 dios=0
cpu.stat usage_usec 61000000
cpu.stat user_usec 1
`;

const LEADER = {
  pid: 7,
  start: 1,
  cgroup: "/sys/fs/cgroup/m.slice/nspawn-runner-run-42.service/payload/init.scope",
  dropped: [],
  noNewPrivileges: false,
  filtered: true,
};

Deno.test("parseUsage() reads what the kernel counts, and null for the rest", () => {
  assert.deepEqual(parseUsage(TEXT), {
    memory: 1048576,
    memoryPeak: 300 * 1024 ** 2,
    memoryMax: 300 * 1024 ** 2,
    memoryHigh: 200 * 1024 ** 2,
    slowedDown: 31,
    memoryStalled: 2000000,
    oomKills: 2,
    tasks: 3,
    tasksMax: 60,
    tasksRefused: 5,
    tasksPeak: 42,
    ioRead: 1005,
    ioWritten: 2006,
    cpu: 61000000,
    diskFree: 20 * GIB,
    diskSize: 100 * GIB,
  });
  const none = parseUsage("memory.max max\npids.max max\n");
  for (const value of Object.values(none)) assert.equal(value, null);
});

Deno.test("readUsage() looks where the limits are: the unit, or the cgroup that we made", async () => {
  const asked = async (lease: Partial<Lease>) => {
    const { host, processes } = recordingHost();
    await readUsage(host, leaseOf("/store", "42", lease));
    return processes[0]!.argv.at(-1);
  };
  const unit = "/sys/fs/cgroup/m.slice/nspawn-runner-run-42.service";
  assert.equal(await asked({ leader: LEADER }), `${unit}/cpu.stat`);
  const own = { supervisor: "standalone", cgroups: ["/sys/fs/cgroup/x"] } as const;
  assert.equal(await asked(own), "/sys/fs/cgroup/x/cpu.stat");
  assert.equal(await asked({ leader: null }), "/store/.machines/run-42", "no cgroup at all");
});

const FAILED: Ending = { kind: "exited", code: 1 };
const KILLED: Ending = { kind: "exited", code: 137 };

/** Explains a failure on a host that counts like this. */
async function explained(text: string, ending: Ending, lease: Partial<Lease> = {}, now?: number) {
  const { host } = recordingHost({
    answer: () => ({ stdout: text }),
    ...(now === undefined ? {} : { now }),
  });
  return await explainFailure(
    host,
    leaseOf("/nonexistent", "42", { leader: LEADER, ...lease }),
    ending,
    0,
    now !== undefined,
  );
}

Deno.test("explainFailure() knows a kill for its memory, and names the limit and the setting", async () => {
  const { ending, lines, oomKills } = await explained(TEXT, KILLED);
  assert.deepEqual(ending, { kind: "out-of-memory", limit: "300 MiB" });
  assert.equal(
    lines[0],
    "Out of memory: 2 processes killed at 300 MiB. The administrator can raise limits.memory_max",
  );
  assert.equal(oomKills, 2);
  const reporter: Ending = { kind: "signalled", signal: 9 };
  assert.equal((await explained(TEXT, reporter)).ending.kind, "out-of-memory");
  assert.deepEqual(
    (await explained(TEXT, FAILED)).ending,
    FAILED,
    "the script made another code of it",
  );
  const unlimited = TEXT.replace(/memory\.max \d+/, "memory.max max");
  assert.match((await explained(unlimited, KILLED)).lines[0]!, /machine-ci\.slice/);
});

Deno.test("explainFailure() knows a machine that was lost for its memory, by what the journal says since", async () => {
  const lost: Ending = { kind: "lost", reason: "gone" };
  const began = Date.UTC(2030, 0, 1) + 999;
  const explainLoss = async (said: string, lease: Partial<Lease> = {}) => {
    const { host, processes } = recordingHost({
      answer: ([program, word]) => ({
        stdout: program === "journalctl" && word !== "--sync" ? said : "",
      }),
    });
    const end = await explainFailure(
      host,
      leaseOf("/nonexistent", "42", lease),
      lost,
      began,
      false,
    );
    return { ...end, asked: processes.map(({ argv }) => argv.join(" ")) };
  };
  const killed = await explainLoss("A process of this unit has been killed\n");
  assert.equal(killed.ending.kind, "out-of-memory");
  assert.match(
    killed.lines.join(),
    /^Out of memory: the kernel killed the machine.*limits\.memory_max/,
  );
  const [sync, asked] = killed.asked;
  assert.equal(sync, "journalctl --sync");
  assert.match(asked!, / --since=@1893456000 /);
  assert.match(
    asked!,
    / _PID=1 UNIT=nspawn-runner-run-42\.service MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef$/,
  );
  const other = await explainLoss("");
  assert.deepEqual([other.ending, other.lines], [lost, []]);
  const standalone = await explainLoss("said", { supervisor: "standalone" });
  assert.deepEqual([standalone.ending, standalone.asked], [lost, []], "no limit to meet there");
});

Deno.test("explainFailure() says what else the host refused", async () => {
  const { lines } = await explained(TEXT.replace(/^ \d+/m, "4096"), FAILED);
  assert.equal(
    lines[1],
    "Too many processes: refused 5 times at 60. The administrator can raise limits.tasks_max",
  );
  assert.match(
    lines[2]!,
    /^Disk full: 4 KiB left in \/nonexistent on the host\. The administrator can free some: /,
  );
  const tmpfs = await explained("0 1000000 9 9\n", FAILED, { storage: "tmpfs" });
  assert.match(tmpfs.lines[0]!, /memory that holds what the job writes/);
});

Deno.test("explainFailure() has nothing to say of a script that just failed", async () => {
  const calm = TEXT.replace("oom_kill 2", "oom_kill 0").replace("events max 5", "events max 0");
  assert.deepEqual((await explained(calm, KILLED)).lines, []);
  assert.deepEqual((await explained(calm, KILLED)).ending, KILLED);
  assert.deepEqual((await explained("", FAILED)).lines, [], "a host that counts nothing");
});

Deno.test("explainFailure() tells a time-out from a cancel by the time that went by", async () => {
  const began = Date.UTC(2030, 0, 1);
  const lease = { timeout: 3600, began: new Date(began).toISOString() };
  const late = await explained("", FAILED, lease, began + 3_600_000);
  assert.match(late.lines[0]!, /^Time-out: the job was ended after 3600 s\. Raise it: timeout/);
  assert.deepEqual((await explained("", FAILED, lease, began + 60_000)).lines, []);
});

Deno.test("noteFailure() is found again, and explains nothing twice", async () => {
  await inFolder(async (folder) => {
    const { host, err } = standaloneHost(folder, () => ({ stdout: TEXT }));
    await host.files.makeDirectory("/run/nspawn-runner");
    const lease = leaseOf(folder, "42", { leader: LEADER, keep: 1800 });
    assert.deepEqual(await readFailures(host, lease), { oomKills: 0, tasksRefused: 0, own: false });
    await noteFailure(host, lease, { oomKills: 2, tasksRefused: 5, own: true });
    assert.equal(err(), "", "no machine: cleanup was faster");
    await host.files.makeDirectory(`${folder}/.machines/run-42`);
    await noteFailure(host, lease, { oomKills: 2, tasksRefused: 5, own: true });
    assert.match(err(), /kept for 30 min after its end\. .*: nspawn-runner shell 42\n$/);
    await noteFailure(host, { ...lease, keep: 86_400 }, {
      oomKills: 0,
      tasksRefused: 0,
      own: true,
    });
    assert.match(err(), /kept for 24 h after its end/);
    const told = err();
    const before = await readFailures(host, lease);
    await noteFailure(host, lease, { oomKills: 2, tasksRefused: 5, own: true }, before);
    assert.equal(err(), told, "once is enough");
    assert.deepEqual((await explainFailure(host, lease, KILLED, 0, false)).lines, []);
    await host.files.write("/run/nspawn-runner/run-42.failures", "{");
    assert.ok(!(await readFailures(host, lease)).own, "half written");
  });
});

Deno.test("summarizeUsage() leaves out what the kernel does not count", async () => {
  const now = Date.UTC(2030, 0, 1) + 84_200;
  const all = recordingHost({
    now,
    answer: (argv) => ({
      stdout: argv.includes("du") ? "100663296\t/store/.machines/run-42/upper\0" : TEXT,
    }),
  });
  const lease = leaseOf("/store", "42", { leader: LEADER });
  assert.equal(
    (await summarizeUsage(all.host, lease)).line,
    "84.2 s, CPU 61.0 s, memory at most 300 MiB, 96 MiB written",
  );
  assert.equal((await summarizeUsage(recordingHost({ now }).host, lease)).line, "84.2 s");
});

Deno.test("summarizeUsage() counts the folders that a job shares with its services", async () => {
  const { host } = recordingHost({
    answer: (argv) => {
      if (!argv.includes("du")) return;
      const folder = "/store/.machines/run-42";
      return { stdout: `1048576\t${folder}/upper\x002097152\t${folder}/shared\0` };
    },
  });
  const services = [{ machine: serviceLeaseOf("/store", "42", ["db"]).machine, aliases: ["db"] }];
  assert.equal((await summarizeUsage(host, leaseOf("/store", "42"))).usage.written, 1_048_576);
  assert.equal(
    (await summarizeUsage(host, leaseOf("/store", "42", { services }))).usage.written,
    3_145_728,
  );
});

Deno.test("summarizeServices() is one line of those that the kernel counts", () =>
  inFolder(async (folder) => {
    const usages: Record<string, string> = {
      "service-42-1": "memory.peak 67108864\ncpu.stat usage_usec 3100000\n",
      "service-42-2": "cpu.stat usage_usec 200000\n",
    };
    const { host } = standaloneHost(folder, (argv) => {
      const stdout = usages[argv[4]?.split("/").at(-1) ?? ""];
      return stdout === undefined ? undefined : { stdout };
    });
    const leases = [["postgres", "db"], ["redis"], ["ended"]].map((aliases, index) =>
      serviceLeaseOf(folder, "42", aliases, {}, index + 1)
    );
    for (const lease of leases) await writeLease(host, lease);
    const services = leases.map(({ machine, service }) => ({
      machine,
      aliases: service!.aliases,
    }));
    assert.equal(
      await summarizeServices(host, leaseOf(folder, "42", { services })),
      "services: db (CPU 3.1 s, memory at most 64 MiB), redis (CPU 0.2 s)",
    );
    assert.equal(await summarizeServices(host, leaseOf(folder, "42")), null);
  }));
