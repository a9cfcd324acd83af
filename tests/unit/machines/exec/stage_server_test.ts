/** Runs the server of stages in a real shell; the driver's part is real, too. */

import assert from "node:assert/strict";
import { STAGE_SERVER_SCRIPT } from "../../../../src/machines/exec/stage_server.ts";
import { INSIDE } from "../../../../src/machines/record/channel.ts";
import { inFolder } from "../../recording_host.ts";
import { withServer } from "./served_machine.ts";

for (const code of [0, 1, 3, 255]) {
  Deno.test(`the server reports exit code ${code}`, () =>
    withServer(async ({ run }) => {
      assert.deepEqual((await run(`exit ${code}`)).ending, { kind: "exited", code });
    }));
}

Deno.test("the server reports a signal as 128 plus its number, as shells do", () =>
  withServer(async ({ run }) => {
    for (const [signal, code] of [["TERM", 143], ["INT", 130], ["KILL", 137]] as const) {
      const { ending } = await run(`kill -${signal} $$; sleep 9`);
      assert.deepEqual(ending, { kind: "exited", code }, signal);
    }
  }));

Deno.test("the server runs one script after the other, each with its own streams", () =>
  withServer(async ({ run }) => {
    for (const word of ["a", "b", "c"]) {
      const { stdout, stderr } = await run(`echo ${word}; echo ${word}${word} >&2`);
      assert.deepEqual([stdout, stderr], [`${word}\n`, `${word}${word}\n`]);
    }
  }));

Deno.test("the server keeps the order of output and messages where both have one pipe", () =>
  withServer(async ({ run }) => {
    const script = "i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i + 1)); done";
    const { stdout } = await run(script, { streams: "one" });
    const expected = Array.from({ length: 300 }, (_, i) => `o${i}\ne${i}\n`).join("");
    assert.equal(stdout, expected);
  }));

Deno.test("the server passes on output of any size, and the last line of it", () =>
  withServer(async ({ run }) => {
    const { stdout } = await run("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end");
    assert.equal(stdout.length, 3_000_005);
    assert.ok(stdout.endsWith("x\nend\n"));
  }));

Deno.test("the server uses the first shell that exists, and reports 127 where none does", () =>
  withServer(async ({ run }) => {
    const found = await run("exit 4", { shells: { programs: ["no-such", "sh"], options: [] } });
    assert.deepEqual(found.ending, { kind: "exited", code: 4 });
    const none = await run("", { shells: { programs: ["no-such"], options: [] } });
    assert.deepEqual(none.ending, { kind: "exited", code: 127 });
    assert.match(none.stderr, /this image has no no-such/);
  }));

Deno.test("the server gives a script none of its own environment", () =>
  withServer(async ({ run }) => {
    const { stdout } = await run("env");
    const names = stdout.trim().split("\n").map((line) => line.split("=")[0]!).sort();
    const own = names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name));
    assert.deepEqual(own, ["HOME", "LANG", "LOGNAME", "PATH", "USER"]);
  }));

Deno.test("the server gives a script a stdin that is at its end", () =>
  withServer(async ({ run }) => {
    const { stdout } = await run('cat; read line || echo "end $line"');
    assert.equal(stdout, "end \n");
  }));

const IMAGE = ["A=$HOME `id` 'x' \\", "PATH=/opt/bin:/usr/bin:/bin", "EMPTY="];

Deno.test("the server gives a script the image's environment, and expands nothing in it", () =>
  withServer(async ({ run }) => {
    const script = 'printf "%s\n" "$A" "$PATH" "${EMPTY-unset}" "$LANG"\n';
    const { stdout } = await run(script);
    const expected = "$HOME `id` 'x' \\\n/opt/bin:/usr/bin:/bin\n\nC.UTF-8\n";
    assert.equal(stdout, expected);
  }, { environment: IMAGE }));

for (const signal of ["HUP", "INT", "TERM"] as const) {
  Deno.test(`the server survives SIG${signal} and goes on to report the script's code`, () =>
    withServer(async ({ run, server }) => {
      const { ending } = await run(`kill -${signal} ${server}; exit 7`);
      assert.deepEqual(ending, { kind: "exited", code: 7 });
      assert.deepEqual((await run("exit 0")).ending, { kind: "exited", code: 0 });
    }));
}

Deno.test("the server does not end with a script that kills its own process group", () =>
  withServer(async ({ run }) => {
    assert.deepEqual((await run("kill -KILL 0")).ending, { kind: "exited", code: 137 });
    assert.deepEqual((await run("exit 5")).ending, { kind: "exited", code: 5 });
  }));

Deno.test("the server passes the options of the #! line to the shell, and starts it in /", () =>
  withServer(async ({ run }) => {
    const shells = { programs: ["sh"], options: ["-e", "-u"] };
    const { ending, stdout } = await run("pwd\nfalse\necho on\n", { shells });
    assert.deepEqual([ending, stdout], [{ kind: "exited", code: 1 }, "/\n"]);
  }));

Deno.test("the server runs no request twice, also where it is called again", () =>
  withServer(async ({ run, host, paths }) => {
    await run("exit 1");
    const request = `${paths.stage}/request`;
    await run(`cp ${request} ${paths.folder}/copy`);
    await Deno.copyFile(`${paths.folder}/copy`, request);
    const call = await host.files.openPipe(`${paths.stage}/call`);
    await call.write("x\n");
    await new Promise((resolve) => setTimeout(resolve, 300));
    call.close();
    const report = await Deno.readTextFile(paths.result);
    assert.equal(report.match(/started/g)?.length, 1, report);
    assert.deepEqual((await run("exit 2")).ending, { kind: "exited", code: 2 });
  }));

Deno.test("a script that closes its output is waited for", () =>
  withServer(async ({ run }) => {
    const { ending, stdout } = await run("echo one; exec >&- 2>&-; sleep 0.7; exit 9");
    assert.deepEqual([ending, stdout], [{ kind: "exited", code: 9 }, "one\n"]);
  }));

Deno.test("the server starts by setpriv only where that accepts the option, as old ones do not", () =>
  inFolder(async (folder) => {
    const start = STAGE_SERVER_SCRIPT.replace(`folder=${INSIDE}`, `folder=${folder}`);
    const setpriv = `${folder}/setpriv`;
    await Deno.writeTextFile(`${folder}/server`, "echo started\n");
    const started = async (program: string) => {
      await Deno.writeTextFile(setpriv, `#!/bin/sh\n${program}\n`, { mode: 0o755 });
      const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
      const { stdout } = await new Deno.Command("sh", { args: ["-c", start], env }).output();
      return new TextDecoder().decode(stdout);
    };
    assert.equal(await started("echo 'libcap-ng is too old' >&2; exit 127"), "started\n");
    assert.equal(
      await started('shift 2; [ "$1" = true ] || echo by setpriv; exec "$@"'),
      "by setpriv\nstarted\n",
    );
  }));
