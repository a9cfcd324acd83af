/** The files of a machine with two roots; the program that starts a script as an image does runs in a real shell. */

import assert from "node:assert/strict";
import type { ChannelOptions } from "../../../../src/machines/exec/channel.ts";
import { openTwoRootChannel } from "../../../../src/machines/exec/two_root_channel.ts";
import { variableFunctions } from "../../../../src/machines/exec/variables.ts";
import { INSIDE } from "../../../../src/machines/record/channel.ts";
import type { ImageProcess } from "../../../../src/machines/record/plan.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

const OPTIONS: Omit<ChannelOptions, "server"> = {
  user: null,
  ids: null,
  owned: ["/builds"],
  environment: ["B=image", "B=ours"],
  limited: false,
};

const PLAIN: ImageProcess = { entrypoint: [], workingDir: "" };

/** Opens a channel, and returns a function that starts a script there with these shells of an image. */
async function opened(folder: string, process: ImageProcess, options = OPTIONS) {
  const { host } = recordingHost({ real: ["mkfifo"] });
  const paths = pathsIn(folder);
  await Deno.mkdir(`${folder}/etc`);
  await Deno.writeTextFile(`${folder}/etc/passwd`, "root:x:0:0::/super:/bin/sh\n");
  await openTwoRootChannel(host, paths, { path: folder, process }, options);
  const start = async (script: string, shells: string) => {
    const program = (await Deno.readTextFile(`${paths.stage}/start`))
      .replaceAll(`${INSIDE}/helper/usr/bin/busybox`, `${folder}/busybox`)
      .replaceAll(INSIDE, paths.stage)
      .replaceAll(/\/usr\/local\/bin\/bash .*\/busybox\/sh/g, shells);
    const busybox = '#!/bin/sh\necho "$*" >>"${0%/*}/arguments"\nexec "$@"\n';
    await Deno.writeTextFile(`${folder}/busybox`, busybox, { mode: 0o755 });
    await Deno.writeTextFile(`${folder}/script`, script);
    const run = 'program=$1 script=$2; exec /bin/sh -c "$program" sh abc <"$script"';
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", run, "sh", program, `${folder}/script`],
      env: { PATH: Deno.env.get("PATH")! },
      clearEnv: true,
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  };
  return { start, stage: paths.stage };
}

Deno.test("a script is the input of the first shell that an image has, with the image's environment", () =>
  inFolder(async (folder) => {
    const { start } = await opened(folder, { ...PLAIN, workingDir: "/usr" });
    const { code, stdout } = await start('echo "$B"; pwd; exit 3\n', "/no/such /bin/sh");
    assert.deepEqual([code, stdout], [3, "image\n/usr\n"]);
  }));

Deno.test("a script on an image without a shell fails with a hint", () =>
  inFolder(async (folder) => {
    for (const entrypoint of [[], ["/bin/sh"]]) {
      await Deno.remove(`${folder}/etc`, { recursive: true }).catch(() => {});
      const { start } = await opened(folder, { ...PLAIN, entrypoint });
      const { code, stderr } = await start("exit 0\n", "/no/such /nor/this");
      assert.equal(code, 1);
      assert.match(stderr, /this image has no shell[^]*-debug/);
    }
  }));

Deno.test("an entrypoint gets the image's words, then a shell for the script, and the job's variables, which are no arguments", () =>
  inFolder(async (folder) => {
    const entry = `${folder}/entry`;
    const program = '#!/bin/sh\necho "$1 $TOKEN $B $C $entry"\nshift\nexec "$@"\n';
    await Deno.writeTextFile(entry, program, { mode: 0o755 });
    const { start, stage } = await opened(folder, { ...PLAIN, entrypoint: [entry, "it's"] }, {
      ...OPTIONS,
      environment: ["B=image", "C=image"],
    });
    const variables = [
      "esac=x",
      "TOKEN=s3cret'=\n$(x)",
      "B=job's",
      "entry=own",
      "OPTIND=no number",
      "no-name=x",
    ];
    await Deno.writeTextFile(`${stage}/variables-abc`, variableFunctions(variables));
    const { code, stdout, stderr } = await start("echo script; exit 4\n", "/bin/sh");
    assert.deepEqual(
      [code, stdout, stderr],
      [4, "it's s3cret'=\n$(x) job's image own\nscript\n", ""],
    );
    const seen = await Deno.readTextFile(`${folder}/arguments`);
    assert.match(seen, /^env C=image .*entry it's /);
    assert.ok(!seen.includes("s3cret") && !seen.includes("job"), "all users of the host see them");
    await Deno.writeTextFile(`${stage}/variables-abc`, variableFunctions([]));
    assert.equal((await start("exit 4\n", "/bin/sh")).code, 4);
  }));

Deno.test("an entrypoint is looked up in the image's PATH, and one that is missing is named", () =>
  inFolder(async (folder) => {
    const { start } = await opened(folder, { ...PLAIN, entrypoint: ["true"] }, {
      ...OPTIONS,
      environment: ["PATH=/none:/usr/bin:/bin"],
    });
    assert.deepEqual(await start("exit 9\n", "/bin/sh"), { code: 0, stdout: "", stderr: "" });
    await Deno.remove(`${folder}/etc`, { recursive: true });
    const missing = await opened(folder, { ...PLAIN, entrypoint: ["no-such"] });
    const { code, stderr } = await missing.start("exit 9\n", "/bin/sh");
    assert.equal(code, 127);
    assert.match(stderr, /no no-such, its entrypoint[^]*entrypoint: \[""\]/);
  }));

Deno.test("the helper root knows the user of scripts, and an image's root has the home of its passwd(5)", () =>
  inFolder(async (folder) => {
    if (Deno.uid() !== 0) return skip("the helper root knows the user of scripts", "not root");
    const { stage } = await opened(folder, PLAIN);
    const read = (name: string) => Deno.readTextFile(`${stage}/${name}`);
    assert.equal(await read("user"), "0 0 root /super\n/builds\n");
    await Deno.remove(`${folder}/etc`, { recursive: true });
    const user = { name: "ci", uid: 1000, gid: 1001, home: "/home/ci" };
    await opened(folder, PLAIN, { ...OPTIONS, user });
    assert.match(
      await read("passwd"),
      /^root:x:0:0:.*\nci:x:1000:1001::\/root\/home:\/bin\/bash$/m,
    );
    assert.match(await read("group"), /^ci:x:1001:$/m);
  }));
