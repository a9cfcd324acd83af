import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { reportedEnding } from "../../../../src/machines/exec/exec.ts";
import {
  writeScript,
  openChannel,
  type Shells,
  chooseShells,
  removeScript,
} from "../../../../src/machines/exec/script.ts";
import { INSIDE, type MachinePaths } from "../../../../src/machines/record/paths.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { pathsIn } from "../fixture.ts";

/** The host's root. */
const ROOT = { user: null, ids: null };

const bytes = (text: string) => new TextEncoder().encode(text);

/** Script, `--shell`, the chroot's shell, and who runs it. */
const SHELLS: readonly (readonly [string, string | undefined, string, Shells])[] = [
  ["echo", undefined, "bash", { programs: ["bash", "sh"], options: [] }],
  ["echo", undefined, "zsh", { programs: ["zsh"], options: [] }],
  ["#!/bin/sh\necho", "dash", "bash", { programs: ["dash"], options: [] }],
  ["#!/bin/sh -eu\n", undefined, "bash", { programs: ["/bin/sh"], options: ["-eu"] }],
  ["#! /usr/bin/env bash\n", undefined, "zsh", { programs: ["bash"], options: [] }],
  ["#!/usr/bin/env -S python3 -u\n", undefined, "x", { programs: ["python3"], options: ["-u"] }],
  ["#!/usr/bin/env pwsh\n", undefined, "bash", { programs: ["pwsh"], options: [] }],
  ["#!/usr/bin/env sh\neval $'a'", undefined, "x", { programs: ["bash", "sh"], options: [] }],
  ['#!/usr/bin/env sh\neval "a"', undefined, "x", { programs: ["sh"], options: [] }],
  ["#!\n", undefined, "bash", { programs: ["bash", "sh"], options: [] }],
];

for (const [script, argument, fallback, shells] of SHELLS) {
  Deno.test(`shellsFor() of ${JSON.stringify(script)}, --shell ${argument}, ${fallback}`, () => {
    assert.deepEqual(chooseShells(bytes(script), argument, fallback), shells);
  });
}

/** Scripts run as root, and images say nothing. */
const PLAIN = { user: null, ids: null, owned: [], environment: [], limited: false };

async function opened(folder: string): Promise<MachinePaths> {
  const paths = pathsIn(folder);
  await openChannel(recordingHost().host, paths, PLAIN);
  return paths;
}

Deno.test("layScript() lays a script for root alone, under a name of its own, and takes it away", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = await opened(folder);
    const shells = { programs: ["bash"], options: [] };
    const script = new Uint8Array([0xff, 0x00, 0x80]);
    const [first, second] = [
      await writeScript(host, paths, script, shells, ROOT),
      await writeScript(host, paths, script, shells, ROOT),
    ];
    assert.notEqual(first.nonce, second.nonce);
    const path = `${paths.stage}/script-${first.nonce}`;
    assert.deepEqual(await Deno.readFile(path), script);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o500);
    assert.equal((await Deno.stat(paths.stage)).mode! & 0o777, 0o700);
    await removeScript(host, paths, first);
    assert.equal(await host.files.lstat(path), null);
    assert.ok(await host.files.lstat(`${paths.stage}/script-${second.nonce}`));
  });
});

Deno.test("openChannel() leaves nothing of a machine of that name before, and no report", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = pathsIn(folder);
    await host.files.makeDirectory(paths.stage);
    await host.files.write(`${paths.stage}/script-old`, "secret");
    await host.files.makeDirectory(paths.own);
    await host.files.write(paths.result, "abc started\nabc 0\n");
    await openChannel(host, paths, PLAIN);
    assert.deepEqual(await host.files.list(paths.stage), ["reporter", "result"]);
    assert.equal(await host.files.read(paths.result), "");
    assert.equal((await Deno.stat(`${paths.stage}/reporter`)).mode! & 0o777, 0o555);
  });
});

Deno.test("layScript() refuses words that an init or a shell could expand", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const paths = await opened(folder);
    for (const word of ["$SHELL", "${X}", "a b", "`id`", "%n", "a;b", "", "a\nb"]) {
      for (
        const shells of [{ programs: [word], options: [] }, { programs: ["sh"], options: [word] }]
      ) {
        await assert.rejects(writeScript(host, paths, bytes(""), shells, ROOT), (error) => {
          assert.ok(error instanceof Failure);
          assert.equal(error.kind, "refused");
          return true;
        });
      }
    }
    assert.deepEqual(await host.files.list(paths.stage), ["reporter", "result"]);
  });
});

/** Runs the reporter for real, its places moved into a folder. */
async function report(folder: string, script: string, shells: Shells) {
  const { host } = recordingHost();
  const paths = await opened(folder);
  const stage = await writeScript(host, paths, bytes(script), shells, ROOT);
  const reporter = `${paths.stage}/reporter`;
  const text = (await Deno.readTextFile(reporter)).replaceAll(`${INSIDE}/result`, paths.result)
    .replaceAll(INSIDE, paths.stage);
  await Deno.remove(reporter);
  await Deno.writeTextFile(reporter, text);
  const [program, ...args] = stage.argv.map((word) => word.replace(INSIDE, paths.stage));
  const output = await new Deno.Command(program!, { args, env: { SECRET: "x" } }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
    ending: await reportedEnding(stage),
  };
}

const SH: Shells = { programs: ["sh"], options: [] };

for (const code of [0, 1, 3, 255]) {
  Deno.test(`the reporter reports code ${code}`, async () => {
    await inFolder(async (folder) => {
      const { ending } = await report(folder, `exit ${code}`, SH);
      assert.deepEqual(ending, { kind: "exited", code });
    });
  });
}

Deno.test("the reporter reports a signal as shells do", async () => {
  await inFolder(async (folder) => {
    const { ending } = await report(folder, "kill -TERM $$", SH);
    assert.deepEqual(ending, { kind: "exited", code: 143 });
  });
});

Deno.test("the reporter that is killed itself has only begun", async () => {
  await inFolder(async (folder) => {
    const { ending } = await report(folder, "kill -KILL $PPID", SH);
    assert.deepEqual(ending, { kind: "signalled", signal: 9 });
  });
});

Deno.test("the reporter takes the first shell that is there, and says when there is none", async () => {
  await inFolder(async (folder) => {
    const there = await report(folder, "echo $0", { programs: ["no-such", "sh"], options: [] });
    assert.deepEqual(there.ending, { kind: "exited", code: 0 });
  });
  await inFolder(async (folder) => {
    const none = await report(folder, "", { programs: ["no-such"], options: [] });
    assert.deepEqual(none.ending, { kind: "exited", code: 127 });
    assert.match(none.stderr, /this image has no no-such/);
  });
});

Deno.test("the reporter gives a script an environment of its own and an empty stdin", async () => {
  await inFolder(async (folder) => {
    const { stdout } = await report(folder, "env | sort; cat", SH);
    const names = stdout.trim().split("\n").map((line) => line.split("=")[0]);
    const own = names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name!));
    assert.deepEqual(own, ["HOME", "LANG", "LOGNAME", "PATH", "USER"]);
  });
});

Deno.test("reportedEnding() counts what the stage itself wrote last, and nobody else's lines", async () => {
  const nonce = "abc";
  const ending = (report: string) =>
    reportedEnding({ nonce, argv: [], report: () => Promise.resolve(report) });
  assert.equal(await ending(""), undefined);
  assert.equal(await ending("xyz started\nxyz 0\n"), undefined);
  assert.deepEqual(await ending("abc started\n"), { kind: "signalled", signal: 9 });
  assert.deepEqual(await ending("xyz 0\nabc started\nabc 4\n"), { kind: "exited", code: 4 });
  assert.deepEqual(await ending("abc started\nabc 4x\nabc 12345\n"), {
    kind: "signalled",
    signal: 9,
  });
});
