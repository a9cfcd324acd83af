/** Runs the reporter in a real shell; its stdin has something to read. */

import assert from "node:assert/strict";
import { openChannel } from "../../../../src/machines/exec/channel.ts";
import { reportedEnding } from "../../../../src/machines/exec/exec.ts";
import { writeScript } from "../../../../src/machines/exec/script.ts";
import type { Shells } from "../../../../src/machines/exec/shells.ts";
import { INSIDE } from "../../../../src/machines/record/paths.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** Scripts run as root of the host. */
const ROOT = { user: null, ids: null };
const SH: Shells = { programs: ["sh"], options: [] };

/** Runs a script by the reporter, whose paths are moved from the machine's /run into a folder. */
async function report(
  folder: string,
  script: string,
  shells = SH,
  environment: readonly string[] = [],
) {
  const { host } = recordingHost();
  const paths = pathsIn(folder);
  await openChannel(host, paths, { ...ROOT, owned: [], environment, limited: false });
  const stage = await writeScript(host, paths, new TextEncoder().encode(script), shells, ROOT);
  const program = await Deno.readTextFile(`${paths.stage}/reporter`);
  const moved = `${folder}/reporter`;
  await Deno.writeTextFile(
    moved,
    program.replaceAll(`${INSIDE}/result`, paths.result).replaceAll(INSIDE, paths.stage),
  );
  const [sh, , ...args] = stage.argv;
  const child = new Deno.Command(sh!, {
    args: [moved, ...args.map((word) => word.replace(INSIDE, paths.stage))],
    env: { SECRET: "x" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("the rest of the script\n")).catch(() => {});
  await writer.close().catch(() => {});
  const { stdout, stderr, code } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    ending: await reportedEnding(stage),
  };
}

for (const code of [0, 1, 3, 255]) {
  Deno.test(`the reporter reports exit code ${code}`, async () => {
    await inFolder(async (folder) => {
      const { ending } = await report(folder, `exit ${code}`);
      assert.deepEqual(ending, { kind: "exited", code });
    });
  });
}

Deno.test("the reporter reports a signal as 128 plus its number, as shells do", async () => {
  await inFolder(async (folder) => {
    const { ending } = await report(folder, "kill -TERM $$");
    assert.deepEqual(ending, { kind: "exited", code: 143 });
  });
});

Deno.test("the reporter that is killed itself has only reported the start", async () => {
  await inFolder(async (folder) => {
    const { ending } = await report(folder, "kill -KILL $PPID");
    assert.deepEqual(ending, { kind: "signalled", signal: 9 });
  });
});

Deno.test("the reporter uses the first shell that exists, and reports 127 where none does", async () => {
  await inFolder(async (folder) => {
    const found = await report(folder, "echo $0", { programs: ["no-such", "sh"], options: [] });
    assert.deepEqual(found.ending, { kind: "exited", code: 0 });
  });
  await inFolder(async (folder) => {
    const none = await report(folder, "", { programs: ["no-such"], options: [] });
    assert.deepEqual(none.ending, { kind: "exited", code: 127 });
    assert.match(none.stderr, /this image has no no-such/);
  });
});

Deno.test("the reporter gives a script none of its own environment, and an empty stdin", async () => {
  await inFolder(async (folder) => {
    const { stdout } = await report(folder, "env | sort; cat");
    const names = stdout.trim().split("\n").map((line) => line.split("=")[0]);
    const own = names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name!));
    assert.deepEqual(own, ["HOME", "LANG", "LOGNAME", "PATH", "USER"]);
  });
});

Deno.test("the reporter gives a script a stdin that is at its end, whatever its own stdin is", async () => {
  await inFolder(async (folder) => {
    const { stdout, ending } = await report(folder, 'cat; read line || echo "end $line"\n');
    assert.equal(stdout, "end \n");
    assert.deepEqual(ending, { kind: "exited", code: 0 });
  });
});

Deno.test("the reporter gives a script the image's environment, and expands nothing in it", async () => {
  await inFolder(async (folder) => {
    const environment = ["A=$HOME `id` 'x' \\", "PATH=/opt/bin:/usr/bin:/bin", "EMPTY="];
    const script = 'printf "%s\n" "$A" "$PATH" "${EMPTY-unset}" "$LANG"\n';
    const { stdout } = await report(folder, script, SH, environment);
    assert.equal(stdout, "$HOME `id` 'x' \\\n/opt/bin:/usr/bin:/bin\n\nC.UTF-8\n");
  });
});

for (const signal of ["HUP", "INT", "TERM"]) {
  Deno.test(`the reporter survives SIG${signal} and waits for the script`, async () => {
    await inFolder(async (folder) => {
      const script = `kill -${signal} $PPID; sleep 0.2; exit 7\n`;
      const { ending, code } = await report(folder, script);
      assert.deepEqual(ending, { kind: "exited", code: 7 });
      assert.equal(code, 7);
    });
  });
}

Deno.test("the reporter does not pass its traps on to the script, which a signal ends as usual", async () => {
  await inFolder(async (folder) => {
    const { ending } = await report(folder, "kill -TERM $$; exit 0\n");
    assert.deepEqual(ending, { kind: "exited", code: 143 });
  });
});

Deno.test("the reporter passes the options of the #! line to the shell", async () => {
  await inFolder(async (folder) => {
    const { ending, stdout } = await report(folder, "false\necho on\n", {
      programs: ["sh"],
      options: ["-e"],
    });
    assert.deepEqual([ending, stdout], [{ kind: "exited", code: 1 }, ""]);
  });
});

Deno.test("the reporter starts the script in the root folder of the machine", async () => {
  await inFolder(async (folder) => {
    assert.equal((await report(folder, "pwd\n")).stdout, "/\n");
  });
});
