import assert from "node:assert/strict";
import { Failure } from "../../../src/failure.ts";
import type { Log } from "../../../src/host/host.ts";
import { denoProcesses } from "../../../src/host/processes.ts";

/** Processes, and what --debug would show of them. */
function processes() {
  const shown: string[] = [];
  const silent = () => {};
  const log: Log = {
    verbosity: "debug",
    info: silent,
    warn: silent,
    step: silent,
    debug: (message) => void shown.push(message),
  };
  return { ...denoProcesses(log), shown };
}

Deno.test("processes.capture() gives output, code and signal", async () => {
  const { capture, shown } = processes();
  const done = await capture(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  assert.deepEqual(done, { code: 3, signal: null, stdout: "out\n", stderr: "err\n" });
  const killed = await capture(["sh", "-c", "kill -TERM $$"]);
  assert.deepEqual([killed.code, killed.signal], [143, "SIGTERM"]);
  assert.match(shown[0]!, /^sh -c 'echo out; .*' → 3 in \d+ ms$/);
});

Deno.test("processes.capture() feeds stdin, also to a child that does not read it", async () => {
  const { capture } = processes();
  assert.equal((await capture(["cat"], { stdin: "x".repeat(100_000) })).stdout.length, 100_000);
  assert.equal((await capture(["true"], { stdin: "x".repeat(1_000_000) })).code, 0);
  assert.equal((await capture(["cat"])).stdout, "");
});

Deno.test("processes.capture() and start() give the environment that they are told, and no other", async () => {
  const { capture } = processes();
  const { stdout } = await capture(["env"], { env: { PATH: "/usr/bin:/bin", A: "1" } });
  assert.deepEqual(stdout.trim().split("\n").sort(), ["A=1", "PATH=/usr/bin:/bin"]);
});

Deno.test("processes.capture() ends a child that is aborted", async () => {
  const { capture } = processes();
  const controller = new AbortController();
  const sleeping = capture(["sleep", "60"], { signal: controller.signal });
  controller.abort();
  assert.equal((await sleeping).signal, "SIGTERM");
});

Deno.test("processes.start() keeps a detached child out of our session", async () => {
  const { start } = processes();
  const child = start(["sleep", "60"], { detached: true, stdout: "null", stderr: "null" });
  const stat = await processes().capture(["cat", `/proc/${child.pid}/stat`]);
  child.kill("SIGKILL");
  assert.equal((await child.ended).signal, "SIGKILL");
  // State, parent, group and session follow the program's name.
  assert.equal(stat.stdout.split(") ")[1]!.split(" ")[3], `${child.pid}`);
  child.kill("SIGKILL");
});

Deno.test("processes.signal() says whether there was anybody", async () => {
  const { start, signal } = processes();
  const child = start(["sleep", "60"], { stdout: "null", stderr: "null" });
  assert.ok(signal(child.pid, "SIGKILL"));
  await child.ended;
  assert.ok(!signal(child.pid, "SIGKILL"));
});

Deno.test("processes says what is missing", async () => {
  const { capture, start } = processes();
  const isMissing = (error: unknown) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.kind, "host");
    assert.match(error.message, /no-such-program: not found/);
    return true;
  };
  await assert.rejects(capture(["no-such-program"]), isMissing);
  assert.throws(() => start(["no-such-program"]), isMissing);
});
