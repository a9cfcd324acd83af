import assert from "node:assert/strict";
import type { Host } from "../../../src/host/host.ts";
import { denoHost } from "../../../src/host/deno_host.ts";
import {
  LIVING_PARENT_SCRIPT,
  requireProgram,
  runTool,
  THROUGH_PIPE_SCRIPT,
  toolEnvironment,
} from "../../../src/linux/tool.ts";
import { skip } from "../../skip.ts";
import { inFolder, PROGRAM_FILE, recordingHost } from "../recording_host.ts";

Deno.test("toolEnvironment() has the proxies of the host, and no other variables of it", () => {
  const { host } = recordingHost({ env: { HTTPS_PROXY: "http://proxy", CI_JOB_TOKEN: "secret" } });
  assert.deepEqual(toolEnvironment(host, { TMPDIR: "/x" }), {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    LANG: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
    TMPDIR: "/x",
    HTTPS_PROXY: "http://proxy",
  });
});

Deno.test("requireProgram() returns the first installed program, or names the package", async () => {
  const { host } = recordingHost();
  const withPrograms = (...programs: string[]): Host => ({
    ...host,
    files: {
      ...host.files,
      stat: (path) => Promise.resolve(programs.includes(path) ? PROGRAM_FILE : null),
      read: () => Promise.resolve("ID=debian\n"),
    },
  });
  const debootstrap = withPrograms("/usr/sbin/debootstrap");
  assert.equal(await requireProgram(debootstrap, "mmdebstrap", "debootstrap"), "debootstrap");
  await assert.rejects(requireProgram(withPrograms(), "mmdebstrap", "debootstrap"), {
    kind: "refused",
    message: "Cannot run mmdebstrap or debootstrap: not found",
    hint: "Install it: apt install mmdebstrap",
  });
});

Deno.test("runTool() starts the tool in a session of its own, and reports its exit code", async () => {
  const { signal } = new AbortController();
  for (const confined of [true, false]) {
    const { host, processes } = recordingHost({ answer: () => ({ code: 9 }) });
    await assert.rejects(runTool(host, ["tar", "a b"], {}, signal, { confined }), {
      kind: "host",
      message: "Cannot run tar 'a b': it ended with 9",
    });
    const { argv, options } = processes[0]!;
    assert.ok("detached" in options && options.detached);
    assert.equal(argv.includes("unshare"), confined);
    assert.deepEqual(argv.slice(-2), ["tar", "a b"]);
  }
});

Deno.test("LIVING_PARENT_SCRIPT runs a command only while its parent is the given process", async () => {
  const { processes } = denoHost();
  const codeWith = async (parent: number) =>
    (await processes.capture(["sh", "-c", LIVING_PARENT_SCRIPT, `${parent}`, "true"])).code;
  assert.equal(await codeWith(Deno.pid), 0);
  assert.equal(await codeWith(1), 1);
});

Deno.test("THROUGH_PIPE_SCRIPT gives the command pipes as its streams, and ends with its code", async () => {
  await inFolder(async (folder) => {
    const script = "cat; readlink /proc/self/fd/0 /proc/self/fd/1; echo message >&2; exit 7";
    const words = ["-c", 'exec "$@" 2>"$0"', `${folder}/log`, "sh", "-c", THROUGH_PIPE_SCRIPT];
    const { code } = await new Deno.Command("sh", {
      args: [...words, "sh", "sh", "-c", script],
    }).output();
    assert.equal(code, 7);
    assert.match(await Deno.readTextFile(`${folder}/log`), /^pipe:.*\npipe:.*\nmessage\n$/);
  });
});

Deno.test("runTool() does not start a tool that was interrupted before", async () => {
  const { host, processes } = recordingHost();
  await assert.rejects(
    runTool(host, ["tar"], {}, AbortSignal.abort()),
    /Cannot run tar: interrupted/,
  );
  assert.equal(processes.length, 0);
});

for (const confined of [true, false]) {
  const name = `runTool() ends ${confined ? "a confined tool" : "a tool"} when interrupted`;
  Deno.test(name, async () => {
    if (Deno.uid() !== 0) return skip(name, "not root");
    await inFolder(async (folder) => {
      const host = denoHost();
      const controller = new AbortController();
      const script = `sleep 60 & echo ready >"$1/ready"; wait`;
      const running = runTool(host, ["sh", "-c", script, "sh", folder], {}, controller.signal, {
        confined,
      });
      const outcome = running.then(() => "ended", (error: Error) => error.message);
      while (await host.files.read(`${folder}/ready`) === null) await host.clock.sleep(20);
      const began = performance.now();
      controller.abort();
      assert.equal(await outcome, "Cannot run sh: interrupted");
      assert.ok(performance.now() - began < 20_000);
    });
  });
}
