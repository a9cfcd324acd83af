import assert from "node:assert/strict";
import { type ChannelOptions, openChannel } from "../../../../src/machines/exec/channel.ts";
import { ONE_ROOT_SERVER } from "../../../../src/machines/exec/stage_server.ts";
import { type Script, writeStage } from "../../../../src/machines/exec/script.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** Scripts run as root, and the image sets no variables. */
const PLAIN: ChannelOptions = {
  server: ONE_ROOT_SERVER,
  user: null,
  ids: null,
  owned: [],
  environment: [],
  limited: false,
};

Deno.test("openChannel() removes what an earlier machine of that name left, and its report", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ real: ["mkfifo"] });
    const paths = pathsIn(folder);
    await host.files.makeDirectory(paths.stage);
    await host.files.write(`${paths.stage}/script-old`, "secret");
    await host.files.makeDirectory(paths.own);
    await host.files.write(paths.result, "abc started\nabc 0\n");
    await openChannel(host, paths, PLAIN);
    const names = await host.files.list(paths.stage);
    assert.deepEqual(names, ["call", "result", "server", "stderr", "stdout", "units"]);
    assert.equal(await host.files.read(paths.result), "");
    const mode = async (name: string) => (await Deno.stat(`${paths.stage}/${name}`)).mode! & 0o777;
    assert.deepEqual(await Promise.all(names.map(mode)), [
      ...[0o400, 0o600, 0o555, 0o200, 0o200, 0o755],
    ]);
    assert.ok((await Deno.stat(`${paths.stage}/call`)).isFifo);
  });
});

Deno.test("openChannel() puts reports on a small tmpfs where the machine's writes are limited", async () => {
  await inFolder(async (folder) => {
    for (const limited of [true, false]) {
      const { host, commands } = recordingHost({ real: ["mkfifo"] });
      await openChannel(host, pathsIn(folder), { ...PLAIN, limited });
      const mounts = commands().filter((line) => line.startsWith("mount "));
      assert.equal(mounts.length, limited ? 1 : 0);
      if (limited) assert.match(mounts[0]!, /^mount -t tmpfs -o size=1m,.* .*\/own$/);
    }
  });
});

const FIRST = 0x6000_0000;
const CI = { name: "ci", uid: 1000, gid: 1001, home: "/home/ci" };

Deno.test("openChannel() and writeStage() give files to the users who have to read them, and to nobody else", () =>
  inFolder(async (folder) => {
    if (Deno.uid() !== 0) return skip("openChannel() and writeStage() give files", "not root");
    const { host } = recordingHost({ real: ["mkfifo"] });
    const paths = pathsIn(folder);
    const { stage } = paths;
    const owner = { user: CI, ids: FIRST };
    await openChannel(host, paths, {
      server: ONE_ROOT_SERVER,
      ...owner,
      owned: ["/builds"],
      environment: ["A=b"],
      limited: false,
    });
    const script: Script = {
      bytes: new Uint8Array(),
      shells: { programs: ["sh"], options: [] },
      streams: "both",
      kind: "script",
    };
    const { nonce } = await writeStage(host, paths, script, owner);
    const seen = async (path: string) => {
      const { uid, mode } = await Deno.stat(path);
      return [uid, mode! & 0o777];
    };
    assert.deepEqual(await seen(stage), [FIRST, 0o711]);
    assert.deepEqual(await seen(`${stage}/call`), [FIRST, 0o400]);
    for (const name of ["environment", "user", "result", "request"]) {
      assert.deepEqual(await seen(`${stage}/${name}`), [FIRST, 0o600], name);
    }
    for (const name of ["stdout", "stderr"]) {
      assert.deepEqual(await seen(`${stage}/${name}`), [FIRST + 1000, 0o200], name);
    }
    assert.deepEqual(await seen(`${stage}/script-${nonce}`), [FIRST + 1000, 0o500]);
    assert.deepEqual(await seen(paths.result), [FIRST, 0o600]);
    assert.equal(await Deno.readTextFile(`${stage}/user`), "1000 1001 ci /home/ci\n/builds\n");
  }));
