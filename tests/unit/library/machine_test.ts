import assert from "node:assert/strict";
import { readPieces } from "../../../src/host/pipe.ts";
import { hostForLibrary } from "../../../src/library/host.ts";
import { machineOf } from "../../../src/library/machine.ts";
import type { Machine } from "../../../src/library/types.ts";
import { type Lease, readLease, writeLease } from "../../../src/machines/record/lease.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import { answerCat, HOST_FILES, processFiles } from "../machines/fake_kernel.ts";
import { leaseOf } from "../machines/fixture.ts";
import { INIT, LEADER, NAME } from "../machines/plain_machine.ts";
import { withPlayedServer } from "../machines/played_server.ts";
import { standaloneHost } from "../machines/standalone_host.ts";
import { type Answer, inFolder } from "../recording_host.ts";

/** What is seen of a machine. */
interface Seen {
  /** The scripts that were run. */
  readonly scripts: readonly string[];
  readonly lease: () => Promise<Lease | null>;
}

/** Acts on a machine whose scripts print `out` and `err`, and end with a code that the test gives. */
async function withMachine(
  code: number,
  act: (machine: Machine, seen: Seen) => Promise<void>,
  signal = new AbortController().signal,
): Promise<void> {
  await inFolder(async (folder) => {
    const store = `${folder}/store`;
    const paths = machinePaths(store, NAME);
    const scripts: string[] = [];
    const recording = standaloneHost(
      folder,
      (argv): Answer | void => answerCat(argv, { ...HOST_FILES, ...processFiles(INIT) }),
    );
    // The output is read while the time passes.
    const clock = { ...recording.host.clock, monotonic: () => performance.now() };
    const host = withPlayedServer({ ...recording.host, clock }, paths, async (nonce) => {
      scripts.push(await recording.host.files.read(`${paths.stage}/script-${nonce}`) ?? "");
      return `${nonce} started\n${nonce} ${code}\n`;
    });
    const old = { machine: NAME, boot: "boot-1", supervisor: "standalone", leader: LEADER };
    const lease = { ...leaseOf(store, "42"), ...old, booted: false } as Lease;
    await writeLease(host, lease);
    await host.files.makeDirectory(paths.own);
    await host.files.makeDirectory(paths.stage);
    for (const stream of ["stdout", "stderr"]) {
      await host.files.write(`${paths.stage}/${stream}`, stream.slice(3));
    }
    const variables = { A: "b" };
    const own = {
      ...hostForLibrary(host, () => {}),
      readPieces: (path: string, take: Parameters<typeof readPieces>[1]) =>
        readPieces(folder + path, take),
    };
    const machine = machineOf(own, { id: "42", lease, variables, signal });
    await act(machine, { scripts, lease: () => readLease(host, store, NAME) });
  });
}

Deno.test("machineOf() runs scripts one after the other, with the variables of the machine and their own", () =>
  withMachine(0, async (machine, { scripts }) => {
    const results = await Promise.all([
      machine.run("one"),
      machine.run("two", { variables: { C: "d" }, stdout: "null" }),
    ]);
    assert.deepEqual(scripts, ["export A=b\none", "export A=b\nexport C=d\ntwo"]);
    assert.deepEqual(results, [
      { code: 0, stdout: "out", stderr: "err", reasons: [] },
      { code: 0, stdout: "", stderr: "err", reasons: [] },
    ]);
  }));

Deno.test("machineOf() returns the exit code of a script that fails", () =>
  withMachine(3, async (machine) => {
    const { code, stderr } = await machine.run("false", { stderr: "stdout" });
    assert.deepEqual([code, stderr], [3, ""]);
  }));

Deno.test("machineOf() rejects with the reason of a signal, and runs nothing", () =>
  withMachine(0, async (machine, { scripts }) => {
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(machine.run("true", { signal }), /enough/);
    assert.deepEqual(scripts, []);
    assert.equal((await machine.run("true")).code, 0);
  }));

Deno.test("machineOf() ends a machine once, and runs no script afterwards", () =>
  withMachine(0, async (machine, { lease }) => {
    {
      await using same = machine;
      assert.equal(same.name, NAME);
      assert.ok(await lease() !== null);
    }
    assert.equal(await lease(), null);
    await machine.end();
    await assert.rejects(machine.run("true"), { kind: "refused", message: /it was ended/ });
  }));
