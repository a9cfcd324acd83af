import assert from "node:assert/strict";
import type { Files, Stat } from "../../../../src/host/host.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { nspawnArgv, nspawnEnvironment } from "../../../../src/machines/nspawn/command_line.ts";
import { nspawnVersion } from "../../../../src/linux/nspawn.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { overlay } from "../../../../src/machines/storage/overlay.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { specOf } from "../fixture.ts";

Deno.test("nspawnArgv() boots a machine and says when it is ready", () => {
  assert.deepEqual(nspawnArgv(specOf({ ids: 1_610_612_736 }), ["--keep-unit"]), [
    "systemd-nspawn",
    "--quiet",
    "--machine=run-42",
    "--keep-unit",
    "--directory=/root",
    "--private-users=1610612736:65536",
    "--console=pipe",
    "--resolv-conf=replace-host",
    "--link-journal=no",
    "--timezone=off",
    "--suppress-sync=yes",
    "--bind-ro=/run/nspawn-runner/run-42:/run/nspawn-runner",
    "--bind=/store/.machines/run-42/own/result:/run/nspawn-runner/result",
    "--setenv=SYSTEMD_GENERATOR_PATH=/run/nspawn-runner/generators:",
    "--boot",
    "--notify-ready=yes",
    "--",
    "systemd.hostname=run-42",
    "systemd.mask=ldconfig.service",
  ]);
});

Deno.test("nspawnArgv() gives a plain machine a process that only waits", () => {
  const argv = nspawnArgv(specOf({ booted: false }), []);
  assert.deepEqual(argv.slice(-5), [
    "--as-pid2",
    "--",
    "/bin/sh",
    "-c",
    "sleep 0 && echo ready >>/run/nspawn-runner/result && exec sleep infinity >/dev/null 2>&1",
  ]);
  assert.ok(!argv.includes("--boot"));
});

Deno.test("nspawnArgv() leaves out what an older nspawn does not know", () => {
  const has = (nspawnVersion: number) =>
    nspawnArgv(specOf({ nspawnVersion }), []).includes("--suppress-sync=yes");
  assert.deepEqual([has(249), has(250)], [false, true]);
});

Deno.test("nspawnArgv() keeps colons and backslashes of paths apart from its own", () => {
  const paths = machinePaths("/a:b\\c", machineName("42", undefined));
  const bind = nspawnArgv(specOf({ paths }), []).find((word) => word.startsWith("--bind="));
  assert.ok(bind?.startsWith("--bind=/a\\:b\\\\c/.machines/run-42/own/result:"));
});

Deno.test("overlay opens over the chroot, read-only, whatever is in the paths", async () => {
  await inFolder(async (folder) => {
    const machine = `${folder}/a:b`;
    await Deno.mkdir(machine);
    await overlay.create(recordingHost().host, "/chroots/x:y", machine, null, null);
    const { options } = overlay.root("/chroots/x:y", machine, null);
    const escaped = machine.replaceAll(":", "\\:");
    assert.deepEqual(options, [
      "--directory=/chroots/x:y",
      "--read-only",
      `--overlay=/chroots/x\\:y:${escaped}/upper:/`,
    ]);
    assert.equal((await Deno.stat(`${machine}/upper`)).mode! & 0o777, 0o755);
  });
});

Deno.test("nspawnEnvironment() switches the filter of system calls off only when told", () => {
  assert.equal(nspawnEnvironment(true)["SYSTEMD_SECCOMP"], "1");
  assert.equal(nspawnEnvironment(false)["SYSTEMD_SECCOMP"], "0");
});

/** A host whose nspawn says this; its executable can be replaced, and what is kept is kept. */
function versionHost(...texts: string[]) {
  const recording = recordingHost({ answer: () => ({ stdout: texts.shift() ?? "" }) });
  const kept = new Map<string, string>();
  const executable = { ino: 1, modified: new Date(0) as Date | null, isThere: true };
  const files: Files = {
    ...recording.host.files,
    stat: (path) => {
      assert.equal(path, "/usr/bin/systemd-nspawn");
      return Promise.resolve(executable.isThere ? { ...STAT, ...executable } : null);
    },
    read: (path) => Promise.resolve(kept.get(path) ?? null),
    makeDirectory: () => Promise.resolve(),
    replace: (path, text) => Promise.resolve(void kept.set(path, text)),
  };
  return { ...recording, host: { ...recording.host, files }, executable, kept };
}

const STAT: Stat = {
  kind: "file",
  size: 1,
  mode: 0,
  uid: 0,
  dev: 1,
  ino: 1,
  modified: null,
  born: null,
};

Deno.test("nspawnVersion() is the first number, also of a release candidate", async () => {
  const texts = {
    "systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT\n": 252,
    "systemd 258~rc1 (258~rc1-2)\n": 258,
    "systemd 262.1-1 (262.1-1)\n": 262,
    "systemd 249\n": 249,
  };
  for (const [text, version] of Object.entries(texts)) {
    assert.equal(await nspawnVersion(versionHost(text).host), version);
  }
});

Deno.test("nspawnVersion() asks once, and again when the executable is another", async () => {
  const { host, executable, commands } = versionHost(
    ...["systemd 252 (x)\n", "systemd 257 (x)\n", "systemd 258~rc1 (x)\n"],
  );
  assert.deepEqual([await nspawnVersion(host), await nspawnVersion(host)], [252, 252]);
  executable.ino = 2;
  assert.deepEqual([await nspawnVersion(host), await nspawnVersion(host)], [257, 257]);
  executable.modified = new Date(1);
  assert.deepEqual([await nspawnVersion(host), await nspawnVersion(host)], [258, 258]);
  assert.deepEqual(commands(), Array(3).fill("systemd-nspawn --version"));
});

Deno.test("nspawnVersion() keeps nothing of an executable that it does not find", async () => {
  const { host, executable, kept } = versionHost("systemd 252 (x)\n", "systemd 257 (x)\n");
  executable.isThere = false;
  assert.deepEqual([await nspawnVersion(host), await nspawnVersion(host)], [252, 257]);
  assert.equal(kept.size, 0);
});

Deno.test("nspawnVersion() refuses what says no version, and keeps nothing of it", async () => {
  for (const text of ["hello", "", "systemd\n", "systemd x\n", "sh: systemd 252\n"]) {
    const { host, kept } = versionHost(text);
    const expected = { kind: "host", message: /version of systemd-nspawn/ };
    await assert.rejects(nspawnVersion(host), expected);
    assert.equal(kept.size, 0);
  }
});
