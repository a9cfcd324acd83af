import assert from "node:assert/strict";
import { type Lease, writeLease } from "../../../../src/machines/record/lease.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { explainServices } from "../../../../src/machines/report/explain_services.ts";
import { noteLate } from "../../../../src/machines/services/late.ts";
import type { Answer } from "../../recording_host.ts";
import { inFolder } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf, serviceLeaseOf } from "../fixture.ts";
import { INIT, LEADER } from "../plain_machine.ts";
import { standaloneHost } from "../standalone_host.ts";

/** A service as a stage that failed finds it. */
interface Scene {
  readonly lease?: Partial<Lease>;
  readonly report?: string;
  readonly output?: string;
  readonly isLate?: boolean;
  readonly answer?: (argv: readonly string[]) => Answer | undefined;
}

const RUNNING = { boot: "boot-1", supervisor: "standalone", leader: LEADER } as const;
const GONE = { ...RUNNING, leader: { ...LEADER, start: 8 } } as const;

/** Returns the lines about one service. */
async function lines({ lease = RUNNING, report = "", output = "", ...scene }: Scene) {
  let lines: string[] = [];
  await inFolder(async (folder) => {
    const { host } = standaloneHost(
      folder,
      (argv) => scene.answer?.(argv) ?? answerCat(argv, { ...HOST_FILES, ...processFiles(INIT) }),
    );
    const service = serviceLeaseOf(folder, "1", ["postgres", "db"], lease);
    const paths = machinePaths(folder, service.machine);
    await host.files.makeDirectory(paths.own);
    await host.files.makeDirectory(paths.stage);
    await host.files.write(paths.result, report);
    await host.files.write(`${paths.own}/log.0`, `0\n${output}`);
    await writeLease(host, service);
    if (scene.isLate) await noteLate(host, paths);
    const services = [{ machine: service.machine, aliases: ["postgres", "db"] }];
    const troubles = await explainServices(host, leaseOf(folder, "1", { services }));
    lines = troubles.map(({ line, quote }) => {
      assert.doesNotMatch(line, /"/, "a record of the job has the line alone");
      return line + quote;
    });
  });
  return lines;
}

Deno.test("explainServices() is silent about a service that runs", async () => {
  assert.deepEqual(await lines({ report: "ready\nstarted\n", output: "an error\n" }), []);
});

Deno.test("explainServices() names the exit code of a service, and why it ended", async () => {
  const report = "ready\nstarted\nexited 3\n";
  const output = "LOG: starting\nFATAL: no \x1b[1;31mdisk\x1b[0m\x07\nLOG: shut down\n";
  assert.deepEqual(await lines({ lease: GONE, report, output }), [
    'service postgres:1 (db) ended with 3: "FATAL: no disk\ufffd"',
  ]);
  assert.deepEqual(await lines({ lease: GONE, report, output: "one\ntwo\n\n" }), [
    'service postgres:1 (db) ended with 3: "two"',
  ]);
  assert.deepEqual(await lines({ lease: GONE, report }), [
    "service postgres:1 (db) ended with 3, and wrote nothing",
  ]);
});

Deno.test("explainServices() names a service whose machine was killed, and was out of memory", async () => {
  assert.deepEqual(await lines({ lease: GONE, report: "ready\nstarted\n", output: "up\n" }), [
    'service postgres:1 (db) has ended: "up"',
  ]);
  const answer = ([program]: readonly string[]) =>
    program === "journalctl" ? { stdout: "A process of this unit has been killed\n" } : undefined;
  const lease = { supervisor: "systemd", leader: null } as const;
  assert.deepEqual(await lines({ lease, report: "exited 137\n", answer }), [
    "service postgres:1 (db) ended with 137: out of memory. " +
    "The administrator can raise service_limits.memory_max",
  ]);
});

Deno.test("explainServices() names a service that lost processes for lack of memory, and runs", async () => {
  const stdout = "memory.max 268435456\nmemory.events oom_kill 2\n";
  const answer = ([program]: readonly string[]) => program === "sh" ? { stdout } : undefined;
  assert.deepEqual(await lines({ answer }), [
    "service postgres:1 (db) ran out of memory: 2 processes killed at 256 MiB. " +
    "The administrator can raise service_limits.memory_max",
  ]);
});

Deno.test("explainServices() names a service that was not ready in time", async () => {
  assert.deepEqual(await lines({ isLate: true, output: "still loading\n" }), [
    'service postgres:1 (db) was not ready in time: "still loading"',
  ]);
});

Deno.test("explainServices() names the failed units of a service that boots", async () => {
  const lease = { ...RUNNING, booted: true };
  const list = "postgresql@15-main.service loaded failed failed PostgreSQL\n";
  const answer = (argv: readonly string[]) =>
    argv.includes("list-units") ? { stdout: list } : undefined;
  assert.deepEqual(await lines({ lease, answer }), [
    "service postgres:1 (db) has failed units: postgresql@15-main.service",
  ]);
  assert.deepEqual(await lines({ lease }), []);
});

Deno.test("explainServices() names a service of which nothing is left", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const { machine } = serviceLeaseOf(folder, "1", ["db"]);
    const job = leaseOf(folder, "1", { services: [{ machine, aliases: ["db"] }] });
    assert.deepEqual(await explainServices(host, job), [{ line: "service db is gone", quote: "" }]);
  }));
