import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import type { Host } from "../../../../src/host/host.ts";
import { limitProperties, systemd, unitOf } from "../../../../src/machines/supervisor/systemd.ts";
import { linkFor } from "../../../../src/machines/network/veth.ts";
import { type Answer, recordingHost } from "../../recording_host.ts";
import { leaseOf, specOf } from "../fixture.ts";

const RECORD = "/run/systemd/machines/run-42";
const UNIT = "/run/systemd/transient/nspawn-runner-run-42.service";
const SLICE = "/run/systemd/system.control/machine-ci.slice.d/50-MemoryMaxScale.conf";

/** A host whose systemd has these files. */
function systemdHost(
  files: Map<string, string>,
  answer: (argv: readonly string[]) => Answer = () => ({}),
) {
  const recording = recordingHost({ answer });
  const there = {
    kind: "file",
    size: 0,
    mode: 0,
    uid: 0,
    dev: 1,
    ino: 1,
    modified: null,
    born: null,
  } as const;
  const host: Host = {
    ...recording.host,
    processes: {
      ...recording.host.processes,
      signal(pid, signal) {
        recording.host.processes.signal(pid, signal);
        files.clear(); // what is killed takes its unit and its record with it
        return true;
      },
    },
    files: {
      ...recording.host.files,
      read: (path) => Promise.resolve(files.get(path) ?? null),
      lstat: (path) => Promise.resolve(files.has(path) ? there : null),
    },
  };
  return { ...recording, host };
}

/** What the kernel says of the machine's PID 1. */
const FACTS =
  `77 (systemd) S ${Array(18).fill("0").join(" ")} 5 0\nCapBnd:\t0\n0::/m/payload\n40\n` +
  "25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

const LEADER = {
  pid: 77,
  start: 5,
  cgroup: "/x",
  dropped: [],
  noNewPrivileges: false,
  filtered: true,
};
const lease = leaseOf("/store", "42", { leader: LEADER });

Deno.test("limitProperties() are the unit's, one each", () => {
  assert.deepEqual(limitProperties(specOf().settings.limits), [
    "CPUWeight=50",
    "MemoryHigh=80%",
    "MemoryMax=2G",
    "MemorySwapMax=1G",
    "CPUQuota=150%",
    "IOWeight=20",
    "TasksMax=100",
  ]);
});

Deno.test("systemd.start() makes one unit with its limits, in the slice that is limited once", async () => {
  const files = new Map([[RECORD, "NAME=run-42\nLEADER=77\n"]]);
  const { host, commands, processes } = systemdHost(
    files,
    ([program]) => program === "cat" ? { stdout: FACTS } : {},
  );
  const signal = new AbortController().signal;
  const leader = await systemd.start(host, specOf(), lease, signal);
  assert.equal(leader.pid, 77);
  assert.deepEqual(
    commands()[0],
    "systemctl set-property --runtime machine-ci.slice MemoryMax=90%",
  );
  const words = processes[1]!.argv;
  const before = words.slice(0, words.indexOf("--"));
  assert.ok(before.includes("--unit=nspawn-runner-run-42.service"));
  assert.ok(before.includes("--slice=machine-ci.slice"));
  for (const property of ["Type=notify", "Delegate=yes", "MemoryMax=2G", "TimeoutStartSec=120s"]) {
    assert.ok(before.includes(`--property=${property}`), property);
  }
  assert.equal(words[words.indexOf("--") + 1], "systemd-nspawn");
  assert.ok(words.includes("--keep-unit"));
  files.set(SLICE, "");
  await systemd.start(host, specOf(), lease, signal);
  assert.equal(commands().filter((line) => line.includes("set-property")).length, 1);
});

Deno.test("systemd.start() connects a machine by the PID 1 that machined knows", async () => {
  const files = new Map([[RECORD, "NAME=run-42\nLEADER=77\n"]]);
  const { host, processes } = systemdHost(
    files,
    ([program]) => program === "cat" ? { stdout: FACTS } : {},
  );
  const spec = specOf({ link: linkFor("10.231.0.0/19", 3, false, 10) });
  await systemd.start(host, spec, lease, new AbortController().signal);
  const { argv } = processes.find(({ argv }) => argv[0] === "sh")!;
  assert.deepEqual(argv.slice(4, 6), ["nr-3", "77"]);
});

Deno.test("systemd.start() that fails tells the machine's last words first", async () => {
  const { host } = systemdHost(
    new Map(),
    ([program]) =>
      program === "journalctl"
        ? { stdout: "Failed to mount\n" }
        : { code: 1, stderr: "Job failed\n" },
  );
  const signal = new AbortController().signal;
  await assert.rejects(systemd.start(host, specOf(), lease, signal), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.kind, "host");
    assert.equal(error.message, "Cannot start machine run-42: Failed to mount\nJob failed");
    return true;
  });
});

Deno.test("systemd.isAlive() goes by machined's record of this very machine", async () => {
  const alive = (record: Map<string, string>) => systemd.isAlive(systemdHost(record).host, lease);
  assert.ok(await alive(new Map([[RECORD, "LEADER=77\n"]])));
  assert.ok(!await alive(new Map([[RECORD, "LEADER=78\n"]])));
  assert.ok(!await alive(new Map()));
});

Deno.test("systemd.stop() kills the machine's PID 1, since nspawn tidies up after that alone", async () => {
  const files = new Map([[RECORD, "LEADER=77\n"], [UNIT, ""]]);
  const { host, killed, commands } = systemdHost(files);
  await systemd.stop(host, lease);
  assert.deepEqual(killed, [{ pid: 77, signal: "SIGKILL" }]);
  assert.deepEqual(commands(), []);
});

Deno.test("systemd.stop() kills the unit of a machine that machined never knew", async () => {
  const files = new Map([[UNIT, ""]]);
  const { host, commands, killed } = systemdHost(files, () => {
    files.clear();
    return {};
  });
  await systemd.stop(host, leaseOf("/store", "42"));
  assert.deepEqual(killed, []);
  assert.deepEqual(commands(), [`systemctl kill --signal=SIGKILL ${unitOf("run-42")}`]);
});

Deno.test("systemd.stop() of what is gone is done, and says so of what stays", async () => {
  const { host, commands } = systemdHost(new Map());
  await systemd.stop(host, lease);
  assert.deepEqual(commands(), []);
  const stays = systemdHost(new Map([[UNIT, ""]]));
  await assert.rejects(systemd.stop(stays.host, lease), /stays/);
});

Deno.test("systemd.start() asks what a plain machine may do only once it says that it runs", async () => {
  const files = new Map([[RECORD, "LEADER=77\n"], [SLICE, ""]]);
  const order: string[] = [];
  const { host } = systemdHost(files, ([program]) => {
    order.push(program!);
    return program === "cat" ? { stdout: FACTS } : {};
  });
  let looks = 0;
  const readEnd = () => {
    order.push("look");
    return Promise.resolve(++looks < 3 ? "" : "ready\n");
  };
  const slow = { ...host, files: { ...host.files, readEnd } };
  await systemd.start(slow, specOf({ booted: false }), lease, new AbortController().signal);
  assert.deepEqual(order, ["systemd-run", "look", "look", "look", "cat", "stat"]);
});
