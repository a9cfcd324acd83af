/** Scripts that run in machines. */

import assert from "node:assert/strict";
import { dirname } from "@std/path/posix";
import { type Lease, writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { runStage } from "../../../../src/machines/use/run_script.ts";
import { type Answer, inFolder } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf } from "../fixture.ts";
import { INIT, LEADER, NAME } from "../plain_machine.ts";
import { withPlayedServer } from "../played_server.ts";
import { standaloneHost } from "../standalone_host.ts";

const quiet = new AbortController().signal;

/** Runs a stage in a machine whose server reports like this. */
async function stage(folder: string, lease: Partial<Lease>, report: (nonce: string) => string) {
  const store = `${folder}/store`;
  const paths = machinePaths(store, NAME);
  const seen: string[] = [];
  const recording = standaloneHost(folder, (argv): Answer | void => {
    if (argv.includes("is-system-running")) return { stdout: "running\n" };
    return answerCat(argv, { ...HOST_FILES, ...processFiles(INIT) });
  });
  const host = withPlayedServer(recording.host, paths, async (nonce) => {
    seen.push(await recording.host.files.read(`${paths.stage}/script-${nonce}`) ?? "");
    return report(nonce);
  });
  const old = { machine: NAME, boot: "boot-1", supervisor: "standalone", leader: LEADER };
  await writeLease(host, { ...leaseOf(store, "42"), ...old, ...lease } as Lease);
  await host.files.makeDirectory(paths.own);
  await host.files.makeDirectory(paths.stage);
  const script = new TextEncoder().encode("#!/bin/dash\nsecret\n");
  const run = runStage(
    host,
    () => Promise.resolve(store),
    NAME,
    { script, shell: undefined, streams: "both", kind: "script" },
    quiet,
  );
  const left = async () => [
    ...await host.files.list(paths.stage),
    ...await host.files.list(paths.stageLock),
  ];
  return { run, seen, left, paths, ...recording, host };
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
      assert.ok(!commands().join().includes("secret"));
    });
  });

  Deno.test(`runStage() takes the script away from a ${kind} machine that does not answer`, async () => {
    await inFolder(async (folder) => {
      const { run, left } = await stage(folder, { booted }, () => "");
      await assert.rejects(run, { kind: "host" });
      assert.deepEqual(await left(), []);
    });
  });
}

Deno.test("runStage() ends the stage of a call that was killed, before it runs the next one", async () => {
  await inFolder(async (folder) => {
    const report = (nonce: string) => `${nonce} started\n${nonce} 0\n`;
    const { stageLock } = machinePaths(`${folder}/store`, NAME);
    await Deno.mkdir(dirname(folder + stageLock), { recursive: true });
    await Deno.writeTextFile(folder + stageLock, "1\n"); // as a killed process leaves it
    const { run, commands } = await stage(folder, { booted: false }, report);
    assert.deepEqual((await run).ending, { kind: "exited", code: 0 });
    assert.ok(commands().some((line) => line.endsWith("/stage KILL")), commands().join("\n"));
  });
});

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
