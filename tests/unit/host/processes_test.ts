import assert from "node:assert/strict";
import { Failure } from "../../../src/failure.ts";
import type { Log } from "../../../src/host/host.ts";
import { installHint } from "../../../src/host/packages.ts";
import { denoProcesses } from "../../../src/host/processes.ts";
import { inFolder } from "../recording_host.ts";

/** Returns the processes, and the log at --debug. */
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

Deno.test("processes.capture() returns output, code and signal", async () => {
  const { capture, shown } = processes();
  const done = await capture(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  assert.deepEqual(done, { code: 3, signal: null, stdout: "out\n", stderr: "err\n" });
  const killed = await capture(["sh", "-c", "kill -TERM $$"]);
  assert.deepEqual([killed.code, killed.signal], [143, "SIGTERM"]);
  assert.match(shown[0]!, /^sh -c 'echo out; .*' → 3 in \d+ ms$/);
});

Deno.test("processes.capture() writes stdin, also to a child that does not read it", async () => {
  const { capture } = processes();
  assert.equal((await capture(["cat"], { stdin: "x".repeat(100_000) })).stdout.length, 100_000);
  assert.equal((await capture(["true"], { stdin: "x".repeat(1_000_000) })).code, 0);
  assert.equal((await capture(["cat"])).stdout, "");
});

Deno.test("processes.capture() and start() pass on exactly the given environment", async () => {
  const { capture } = processes();
  const { stdout } = await capture(["env"], { env: { PATH: "/usr/bin:/bin", A: "1" } });
  assert.deepEqual(stdout.trim().split("\n").sort(), ["A=1", "PATH=/usr/bin:/bin"]);
});

Deno.test("processes.capture() ends the child when aborted", async () => {
  const { capture } = processes();
  const controller = new AbortController();
  const sleeping = capture(["sleep", "60"], { signal: controller.signal });
  controller.abort();
  assert.equal((await sleeping).signal, "SIGTERM");
});

Deno.test("processes.start() starts a detached child in its own session", async () => {
  const { start } = processes();
  const child = start(["sleep", "60"], { detached: true, stdout: "null", stderr: "null" });
  const stat = await processes().capture(["cat", `/proc/${child.pid}/stat`]);
  child.kill("SIGKILL");
  assert.equal((await child.ended).signal, "SIGKILL");
  // State, parent, group and session follow the program's name.
  assert.equal(stat.stdout.split(") ")[1]!.split(" ")[3], `${child.pid}`);
  child.kill("SIGKILL");
});

Deno.test("processes.signal() returns whether the process exists", async () => {
  const { start, signal } = processes();
  const child = start(["sleep", "60"], { stdout: "null", stderr: "null" });
  assert.ok(signal(child.pid, "SIGKILL"));
  await child.ended;
  assert.ok(!signal(child.pid, "SIGKILL"));
});

Deno.test("processes.capture() and start() log each command line with its code at --debug", async () => {
  const { capture, start, shown } = processes();
  await capture(["sh", "-c", "exit 4"]);
  await start(["sh", "-c", "exit 5"], { stdout: "null", stderr: "null" }).ended;
  assert.equal(shown.length, 2);
  assert.match(shown[0]!, /^sh -c 'exit 4' → 4 in \d+ ms$/);
  assert.match(shown[1]!, /^sh -c 'exit 5' → 5 in \d+ ms$/);
});

Deno.test("processes.start() passes on folder and environment, and returns the code", async () => {
  const { start } = processes();
  await inFolder(async (folder) => {
    const child = start(["sh", "-c", 'pwd >out; echo "$A$SECRET" >>out; exit 6'], {
      cwd: folder,
      env: { PATH: "/usr/bin:/bin", A: "1" },
    });
    assert.deepEqual(await child.ended, { code: 6, signal: null });
    assert.equal(await Deno.readTextFile(`${folder}/out`), `${folder}\n1\n`);
  });
});

Deno.test("processes.start() gives its child an empty stdin by default", async () => {
  const { start } = processes();
  await inFolder(async (folder) => {
    const child = start(["sh", "-c", "cat; echo end >out"], { cwd: folder, stdout: "null" });
    assert.equal((await child.ended).code, 0);
    assert.equal(await Deno.readTextFile(`${folder}/out`), "end\n");
  });
});

Deno.test("processes.start() leaves a child that is not detached in this session", async () => {
  const { start, capture } = processes();
  const child = start(["sleep", "60"], { stdout: "null", stderr: "null" });
  const sessions = await Promise.all([child.pid, Deno.pid].map(async (pid) => {
    return (await capture(["cat", `/proc/${pid}/stat`])).stdout.split(") ")[1]!.split(" ")[3];
  }));
  child.kill("SIGTERM");
  assert.deepEqual(await child.ended, { code: 143, signal: "SIGTERM" });
  assert.equal(sessions[0], sessions[1]);
});

Deno.test("processes.signal() throws where it lacks the permission", () => {
  // Root may signal all: a signal that there is not stands for one that may not be sent.
  assert.throws(() => processes().signal(Deno.pid, "SIGNONE" as Deno.Signal), TypeError);
});

Deno.test("processes names the reason where an existing program does not start", async () => {
  const { capture, start } = processes();
  await inFolder(async (folder) => {
    const program = `${folder}/it's`;
    await Deno.writeTextFile(program, "x", { mode: 0o644 });
    const expected = { kind: "host", message: /^Cannot run .*\/it'\\''s' 'a b': .*denied/i };
    await assert.rejects(capture([program, "a b"]), expected);
    assert.throws(() => start([program, "a b"]), expected);
  });
});

Deno.test("processes names the package of a missing program, where it is known", async () => {
  const { capture } = processes();
  const release = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const known = installHint("btrfs", release);
  const search = { env: { PATH: "/nonexistent" } };
  await assert.rejects(capture(["btrfs"], search), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.message, "Cannot run btrfs: not found");
    assert.equal(error.hint, known);
    return true;
  });
});

Deno.test("processes names a missing program", async () => {
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

Deno.test("processes pass on no variable of a job where no environment is given", async () => {
  const { capture } = processes();
  Deno.env.set("CUSTOM_ENV_TOKEN", "secret");
  try {
    const { stdout } = await capture(["env"]);
    assert.doesNotMatch(stdout, /CUSTOM_ENV_TOKEN/);
    assert.match(stdout, new RegExp(`^PATH=${Deno.env.get("PATH")}$`, "m"));
  } finally {
    Deno.env.delete("CUSTOM_ENV_TOKEN");
  }
});

Deno.test("processes.start() gives a child pipes instead of its own streams where they are relayed", async () => {
  const script = `
import { denoProcesses } from "${new URL("../../../src/host/processes.ts", import.meta.url)}";
const log = { verbosity: "normal", info() {}, warn() {}, step() {}, debug() {} };
const show = "readlink /proc/self/fd/1 /proc/self/fd/2; echo err >&2; exit 3";
const { ended } = denoProcesses(log).start(["sh", "-c", show], { relay: true });
Deno.exit((await ended).code);
`;
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/main.ts`, script);
    const output = await Deno.open(`${folder}/output`, { create: true, write: true });
    const map = new URL("../../../npm/import_map.json", import.meta.url).pathname;
    const child = new Deno.Command("sh", {
      args: ["-c", `exec "$@" >"${folder}/output" 2>&1`, "sh", Deno.execPath(), "run"]
        .concat(["--allow-all", "--no-check", "-q", `--import-map=${map}`, `${folder}/main.ts`]),
    });
    output.close();
    assert.equal((await child.output()).code, 3);
    const written = await Deno.readTextFile(`${folder}/output`);
    assert.match(written, /^pipe:[^]*\npipe:[^]*err\n|err\n[^]*pipe:/);
  });
});

Deno.test("processes.start() passes the output of a child on, and ends after it", async () => {
  const { start } = processes();
  let output = "";
  const decoder = new TextDecoder();
  const onOutput = (piece: Uint8Array) => void (output += decoder.decode(piece));
  const child = start(["sh", "-c", "echo out; echo err >&2; (sleep 0.1; echo late) &"], {
    onOutput,
  });
  assert.equal((await child.ended).code, 0);
  assert.deepEqual(output.trim().split("\n").sort(), ["err", "late", "out"]);
});
