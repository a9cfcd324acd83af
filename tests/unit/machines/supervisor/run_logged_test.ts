/** Runs RUN_LOGGED_SCRIPT in a real shell; a plain folder stands for the cgroup. */

import assert from "node:assert/strict";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { readLog, RUN_LOGGED_SCRIPT } from "../../../../src/machines/supervisor/run_logged.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { answerCat } from "../fake_kernel.ts";
import { specOf } from "../fixture.ts";

const { capture } = denoProcesses(recordingHost().host.log);

/** Runs a shell command by the script, and returns its code and the log, once that has this end. */
async function runLogged(folder: string, command: string, end: string) {
  const log = `${folder}/log`;
  const words = [log, `${folder}/pipe`, `${folder}/cgroup`];
  const argv = ["sh", "-euc", RUN_LOGGED_SCRIPT, "sh", ...words] as const;
  const { code, stdout, stderr } = await capture([...argv, "sh", "-c", command]);
  let text = await Deno.readTextFile(log);
  for (let tries = 0; !text.endsWith(end) && tries < 500; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    text = await Deno.readTextFile(log);
  }
  return { code, stdout, stderr, text };
}

Deno.test("RUN_LOGGED_SCRIPT writes both streams of a command into a log that replaces an older one", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/log`, "old\n");
    const done = await runLogged(folder, "echo out; echo error >&2; exit 7", "error\n");
    assert.deepEqual(done, { code: 7, stdout: "", stderr: "", text: "out\nerror\n" });
    assert.equal(await Deno.readTextFile(`${folder}/cgroup/cgroup.procs`), "0\n");
  });
});

Deno.test("RUN_LOGGED_SCRIPT gives a command a nameless pipe and no other file", async () => {
  await inFolder(async (folder) => {
    const others =
      "for fd in 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done; echo end";
    const show = `for fd in 1 2; do readlink /proc/$$/fd/$fd; done; ${others}`;
    const { text } = await runLogged(folder, show, "end\n");
    const [stdout, stderr, ...rest] = text.split("\n");
    for (const link of [stdout, stderr]) assert.match(link!, / \(deleted\)$/);
    // The tests themselves may have been started with further files.
    assert.equal(rest.join("\n"), (await capture(["sh", "-c", others])).stdout);
  });
});

Deno.test("RUN_LOGGED_SCRIPT never has a pipe in the place of the log, which would stop who reads it", async () => {
  await inFolder(async (folder) => {
    // Each program that it calls looks at the log first.
    const look = `[ ! -p '${folder}/log' ] || echo pipe >>'${folder}/seen'`;
    for (const program of ["rm", "mkfifo", "mkdir", "cat"]) {
      const text = `#!/bin/sh\n${look}\nPATH=\${PATH#*:} exec ${program} "$@"\n`;
      await Deno.mkdir(`${folder}/bin`, { recursive: true });
      await Deno.writeTextFile(`${folder}/bin/${program}`, text, { mode: 0o755 });
    }
    const words = [`${folder}/log`, `${folder}/pipe`, `${folder}/cgroup`, "true"];
    const env = { PATH: `${folder}/bin:${Deno.env.get("PATH")}` };
    const { code } = await capture(["sh", "-euc", RUN_LOGGED_SCRIPT, "sh", ...words], { env });
    assert.equal(code, 0);
    await assert.rejects(Deno.stat(`${folder}/seen`));
  });
});

Deno.test("RUN_LOGGED_SCRIPT limits the log, and never blocks a command that writes more", async () => {
  await inFolder(async (folder) => {
    const { code } = await runLogged(folder, "head -c 5000000 /dev/zero", "\0");
    assert.equal(code, 0);
    const { size } = await Deno.stat(`${folder}/log`);
    assert.ok(size >= 1024 * 1024 && size <= 2 * 1024 * 1024, `${size} bytes`);
  });
});

Deno.test("readLog() reads the log once the cgroup of its writer is empty", async () => {
  await inFolder(async (folder) => {
    let reads = 0;
    const files = { "/cg/m/log/cgroup.procs": () => ++reads < 3 ? "1234\n" : "" };
    const { host } = recordingHost({ answer: (argv) => answerCat(argv, files) });
    const spec = specOf();
    const paths = { ...spec.paths, log: `${folder}/log` };
    await Deno.writeTextFile(paths.log, "text\n");
    assert.equal(await readLog(host, { ...spec, paths }, "/cg/m"), "text\n");
    assert.equal(reads, 3);
  });
});
