/** top on a terminal, in a pipe, and as JSON, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import type { Host } from "../../../src/host/host.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { jobLease } from "../history/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { LEADER, MACHINE, scene } from "./fixture.ts";

/** A host with a machine that uses half a processor. */
async function busyScene(folder: string) {
  const found = await scene(folder);
  let cpu = 5_000_000;
  const capture: Host["processes"]["capture"] = async (argv, options) => {
    if (argv[0] === "df") return done("Avail 1B-blocks IFree Inodes\n1073741824 2 3 4\n");
    if (argv[0] !== "grep") return await found.host.processes.capture(argv, options);
    cpu += 1_000_000;
    return done(`/cg/cpu.stat:usage_usec ${cpu}\n/cg/memory.current:1048576\n/cg/pids.current:3\n`);
  };
  const done = (stdout: string) => ({ code: 0, signal: null, stdout, stderr: "" });
  const own = { machine: MACHINE, boot: "boot-1", supervisor: "standalone" } as const;
  await writeLease(found.host, jobLease(found.store, { ...own, leader: LEADER, cgroups: ["/cg"] }));
  return { ...found, host: { ...found.host, processes: { ...found.host.processes, capture } } };
}

Deno.test("top prints a line for each machine into a pipe, and JSON", () =>
  inFolder(async (folder) => {
    const { host, out } = await busyScene(folder);
    assert.equal(await main(["top"], host), 0);
    assert.equal(out(), "42-212bdc71 group/project bookworm running 0s 6.0s 1MiB 3 -\n");
    assert.equal(await main(["top", "--json"], host), 0);
    const [entry] = JSON.parse(out().slice(out().indexOf("[")));
    assert.deepEqual([entry.project, entry.cpu, entry.tasks], ["group/project", 7_000_000, 3]);
  }));

Deno.test("top on a terminal renews its table, and ends with a key", () =>
  inFolder(async (folder) => {
    const { host, out, handlers } = await busyScene(folder);
    let press = () => {};
    const sizes = [{ rows: 5, columns: 20 }];
    const terminal = {
      ...host.terminal,
      is: () => true,
      size: () => Promise.resolve(sizes.pop() ?? { rows: 40, columns: 1000 }),
      key: () => new Promise<void>((resolve) => press = resolve),
    };
    let tables = 0;
    const sleep = async (ms: number) => {
      if (++tables === 3) press();
      await host.clock.sleep(ms);
    };
    const own = { ...host, terminal, clock: { ...host.clock, sleep } };
    assert.equal(await main(["top"], own), 0);
    const [, narrow, first, second, ...more] = out().split("\x1b[H");
    assert.deepEqual(more, []);
    const lines = narrow!.replaceAll("\x1b[K", "").split("\n");
    assert.deepEqual(lines, [
      "Machines that run: 1",
      "Any key ends this",
      "",
      "and 2 more",
      "\x1b[J",
    ]);
    assert.match(first!, /^Machines that run: 1, memory 1 MiB, 1\.0 GiB free at /);
    assert.match(first!, / running +2s +50% +1MiB /);
    assert.match(second!, / running +4s +50% +1MiB /);
    assert.equal(handlers(), 0);
  }));

Deno.test("top names Ctrl+C where stdin is no terminal", () =>
  inFolder(async (folder) => {
    const { host, out, send } = await busyScene(folder);
    const terminal = { ...host.terminal, is: (stream: string) => stream === "stdout" };
    const sleep = () => Promise.resolve(send("SIGINT"));
    await main(["top"], { ...host, terminal, clock: { ...host.clock, sleep } });
    assert.match(out(), /^Ctrl\+C ends this\b/m);
  }));
