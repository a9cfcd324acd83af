import assert from "node:assert/strict";
import { withWatchdog } from "../../../../src/machines/exec/watchdog.ts";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

/** Runs a client with a watchdog; the file stands for the machine. */
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

/** Runs a test with such a file, whose name needs quotes in a shell. */
function withRecord(act: (record: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const record = `${folder}/it's a $record`;
    await Deno.writeTextFile(record, "");
    await act(record);
  });
}

Deno.test("withWatchdog() leaves a client alone as long as its machine exists", async () => {
  await withRecord(async (record) => {
    const { code, took } = await run(record, "sh", "-c", "sleep 2.5; exit 5");
    assert.equal(code, 5);
    assert.ok(took >= 2_400);
  });
});

Deno.test("withWatchdog() kills a client whose machine is gone, and prints nothing about it", async () => {
  await withRecord(async (record) => {
    const client = run(record, "sh", "-c", 'echo out; rm "$1"; exec sleep 60', "sh", record);
    const { code, stdout, stderr, took } = await client;
    assert.deepEqual([code, stdout, stderr], [137, "out\n", ""]);
    // A client that ends by itself has the time for that.
    assert.ok(took >= 1_900 && took < 30_000, `${took} ms`);
  });
});

Deno.test("withWatchdog() passes arguments, streams and the exit code of its client unchanged", async () => {
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

Deno.test("withWatchdog() keeps no stream open after its client has ended", async () => {
  await withRecord(async (record) => {
    const took: number[] = [];
    for (let n = 0; n < 4; n++) took.push((await run(record, "true")).took);
    // The watcher sleeps for a second: at least one of four calls is faster, however slow the host.
    assert.ok(Math.min(...took) < 800, took.join(" "));
  });
});

Deno.test("withWatchdog() leaves no watcher behind", async () => {
  const { start, capture } = denoProcesses(recordingHost().host.log);
  await withRecord(async (record) => {
    const child = start(withWatchdog(record, 0, ["true"]), { detached: true });
    await child.ended;
    // A process of the client's session: state, parent, group and session follow the name in proc_pid_stat(5).
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

Deno.test("withWatchdog() continues a client that was stopped", async () => {
  await withRecord(async (record) => {
    const { code, stdout } = await run(record, "sh", "-c", "kill -STOP $$; echo awake; exit 3");
    assert.deepEqual([code, stdout], [3, "awake\n"]);
  });
});

Deno.test("withWatchdog() gives its streams to the user who runs scripts, who can open them again", async () => {
  if (Deno.uid() !== 0) return skip("withWatchdog() gives its streams", "not root");
  await withRecord(async (record) => {
    const show = "stat -Lc %u /proc/self/fd/1 /proc/self/fd/2";
    for (const owner of [0, 1234]) {
      const [program, ...args] = withWatchdog(record, owner, ["sh", "-c", show]);
      const { stdout } = await new Deno.Command(program, { args }).output();
      assert.equal(new TextDecoder().decode(stdout), `${owner}\n${owner}\n`);
    }
  });
});
