import assert from "node:assert/strict";
import { withWatchdog } from "../../../../src/machines/exec/watchdog.ts";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

/** Runs a client beside a file that stands for its machine. */
async function run(record: string, ...client: [string, ...string[]]) {
  const [program, ...args] = withWatchdog(record, 0, client);
  const began = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    took: performance.now() - began,
  };
}

/** Runs a test with a machine that is there, under a name that no other process has among its words. */
function withRecord(act: (record: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const record = `${folder}/it's a $record`;
    await Deno.writeTextFile(record, "");
    await act(record);
  });
}

Deno.test("watched() leaves a client alone as long as its machine is there", async () => {
  await withRecord(async (record) => {
    const { code, took } = await run(record, "sh", "-c", "sleep 2.5; exit 5");
    assert.equal(code, 5);
    assert.ok(took >= 2_400);
  });
});

Deno.test("watched() ends a client whose machine goes away, and says nothing into its output", async () => {
  await withRecord(async (record) => {
    const client = run(record, "sh", "-c", 'echo out; rm "$1"; exec sleep 60', "sh", record);
    const { code, stdout, stderr, took } = await client;
    assert.deepEqual([code, stdout, stderr], [137, "out\n", ""]);
    // A client that is about to end by itself is given the time for that.
    assert.ok(took >= 1_900 && took < 30_000, `${took} ms`);
  });
});

Deno.test("watched() gives its client words, streams and code as they are", async () => {
  await withRecord(async (record) => {
    const words = ["a b", "$(id)", "'", "\n", "-n", "%n"];
    const script = 'printf "%s|" "$@"; echo error >&2; cat; exit 7';
    const { code, stdout, stderr } = await run(record, "sh", "-c", script, "sh", ...words);
    assert.equal(stdout, words.map((word) => `${word}|`).join(""));
    assert.deepEqual([code, stderr], [7, "error\n"]);
    for (const [signal, number] of [["TERM", 15], ["KILL", 9]] as const) {
      const killed = await run(record, "sh", "-c", `kill -${signal} $$`);
      assert.deepEqual([killed.code, killed.stderr], [128 + number, ""]);
    }
  });
});

Deno.test("watched() holds no stream of its client's for longer than that lives", async () => {
  await withRecord(async (record) => {
    const took: number[] = [];
    for (let n = 0; n < 4; n++) took.push((await run(record, "true")).took);
    // Its pause is a second: of four calls one is shorter, however slow the machine.
    assert.ok(Math.min(...took) < 800, took.join(" "));
  });
});

Deno.test("watched() leaves no watcher behind", async () => {
  const { start, capture } = denoProcesses(recordingHost().host.log);
  await withRecord(async (record) => {
    const child = start(withWatchdog(record, 0, ["true"]), { detached: true });
    await child.ended;
    // Its session tells whose child a process was: state, parent, group and session follow its name.
    const shells = async () => {
      const all = await capture(["sh", "-c", "cat /proc/[0-9]*/stat"]);
      const own = new RegExp(`^\\d+ \\(sh\\) [^Z] \\d+ \\d+ ${child.pid} `, "m");
      return own.test(all.stdout);
    };
    let left = await shells();
    for (let tries = 0; left && tries < 20; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      left = await shells();
    }
    assert.ok(!left);
  });
});

Deno.test("watched() wakes a client that was stopped", async () => {
  await withRecord(async (record) => {
    const { code, stdout } = await run(record, "sh", "-c", "kill -STOP $$; echo awake; exit 3");
    assert.deepEqual([code, stdout], [3, "awake\n"]);
  });
});

Deno.test("watched() gives its streams to who runs the script, so that they can be opened anew", async () => {
  if (Deno.uid() !== 0) return skip("watched() gives its streams", "not root");
  await withRecord(async (record) => {
    const seen = "stat -Lc %u /proc/self/fd/1 /proc/self/fd/2";
    for (const owner of [0, 1234]) {
      const [program, ...args] = withWatchdog(record, owner, ["sh", "-c", seen]);
      const { stdout } = await new Deno.Command(program, { args }).output();
      assert.equal(new TextDecoder().decode(stdout), `${owner}\n${owner}\n`);
    }
  });
});
