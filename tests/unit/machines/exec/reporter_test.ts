/** What a stage's reporter takes, in a real shell whose stdin has something to read. */

import assert from "node:assert/strict";
import { reportedEnding } from "../../../../src/machines/exec/exec.ts";
import { writeScript, openChannel } from "../../../../src/machines/exec/script.ts";
import { INSIDE } from "../../../../src/machines/record/paths.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** The host's root. */
const ROOT = { user: null, ids: null };

async function report(
  folder: string,
  script: string,
  options: readonly string[] = [],
  environment: readonly string[] = [],
) {
  const { host } = recordingHost();
  const paths = pathsIn(folder);
  await openChannel(host, paths, {
    user: null,
    ids: null,
    owned: [],
    environment,
    limited: false,
  });
  const shells = { programs: ["sh"], options };
  const stage = await writeScript(host, paths, new TextEncoder().encode(script), shells, ROOT);
  const reporter = await Deno.readTextFile(`${paths.stage}/reporter`);
  const moved = `${folder}/reporter`;
  await Deno.writeTextFile(
    moved,
    reporter.replaceAll(`${INSIDE}/result`, paths.result).replaceAll(INSIDE, paths.stage),
  );
  const [program, , ...args] = stage.argv;
  const child = new Deno.Command(program!, {
    args: [moved, ...args.map((word) => word.replace(INSIDE, paths.stage))],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("the rest of the script\n")).catch(() => {});
  await writer.close().catch(() => {});
  const { stdout, code } = await child.output();
  return { stdout: new TextDecoder().decode(stdout), code, ending: await reportedEnding(stage) };
}

Deno.test("the reporter gives a script a stdin that is at its end, whatever its own is", async () => {
  await inFolder(async (folder) => {
    const { stdout, ending } = await report(folder, 'cat; read line || echo "end $line"\n');
    assert.equal(stdout, "end \n");
    assert.deepEqual(ending, { kind: "exited", code: 0 });
  });
});

Deno.test("the reporter gives a script what its image says of the environment, and nothing expands", async () => {
  await inFolder(async (folder) => {
    const environment = ["A=$HOME `id` 'x' \\", "PATH=/opt/bin:/usr/bin:/bin", "EMPTY="];
    const script = 'printf "%s\n" "$A" "$PATH" "${EMPTY-unset}" "$LANG"\n';
    const { stdout } = await report(folder, script, [], environment);
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

Deno.test("the reporter's trap is not the script's: a signal ends that as it would anywhere", async () => {
  await inFolder(async (folder) => {
    const { ending } = await report(folder, "kill -TERM $$; exit 0\n");
    assert.deepEqual(ending, { kind: "exited", code: 143 });
  });
});

Deno.test("the reporter runs a script with the options of its first line", async () => {
  await inFolder(async (folder) => {
    const { ending, stdout } = await report(folder, "false\necho on\n", ["-e"]);
    assert.deepEqual([ending, stdout], [{ kind: "exited", code: 1 }, ""]);
  });
});

Deno.test("the reporter is at the root of the machine, wherever it was called", async () => {
  await inFolder(async (folder) => {
    assert.equal((await report(folder, "pwd\n")).stdout, "/\n");
  });
});
