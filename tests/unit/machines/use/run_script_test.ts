/** Scripts that run in machines. */

import assert from "node:assert/strict";
import { type Lease, writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { runStage } from "../../../../src/machines/use/run_script.ts";
import { type Answer, inFolder } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf } from "../fixture.ts";
import { INIT, LEADER, NAME } from "../plain_machine.ts";
import { standaloneHost } from "../standalone_host.ts";

const quiet = new AbortController().signal;

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
