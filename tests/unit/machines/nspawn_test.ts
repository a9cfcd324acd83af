import assert from "node:assert/strict";
import { machineName } from "../../../src/machines/name.ts";
import { nspawnArgv, nspawnEnvironment, nspawnVersion } from "../../../src/machines/nspawn.ts";
import { machinePaths } from "../../../src/machines/paths.ts";
import { overlay } from "../../../src/machines/storage/overlay.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { specOf } from "./fixture.ts";

Deno.test("nspawnArgv() boots a machine and says when it is ready", () => {
  assert.deepEqual(nspawnArgv(specOf(), ["--keep-unit"]), [
    "systemd-nspawn",
    "--quiet",
    "--machine=run-42",
    "--keep-unit",
    "--directory=/root",
    "--console=pipe",
    "--resolv-conf=replace-host",
    "--link-journal=no",
    "--suppress-sync=yes",
    "--bind-ro=/run/nspawn-runner/run-42:/run/nspawn-runner",
    "--bind=/store/.machines/run-42/result:/run/nspawn-runner/result",
    "--boot",
    "--notify-ready=yes",
    "--",
    "systemd.hostname=run-42",
    "systemd.mask=console-getty.service",
    "systemd.mask=ldconfig.service",
    "systemd.mask=systemd-firstboot.service",
    "systemd.mask=systemd-hwdb-update.service",
    "systemd.mask=systemd-journal-flush.service",
  ]);
});

Deno.test("nspawnArgv() gives a plain machine a process that only waits", () => {
  const argv = nspawnArgv(specOf({ booted: false }), []);
  assert.deepEqual(argv.slice(-5), [
    "--as-pid2",
    "--",
    "/bin/sh",
    "-c",
    "echo ready >>/run/nspawn-runner/result; exec sleep infinity",
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
  assert.ok(bind?.startsWith("--bind=/a\\:b\\\\c/.machines/run-42/result:"));
});

Deno.test("overlay opens over the chroot, read-only, whatever is in the paths", async () => {
  await inFolder(async (folder) => {
    const machine = `${folder}/a:b`;
    await Deno.mkdir(machine);
    const { options } = await overlay.open(recordingHost().host, "/chroots/x:y", machine);
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
  assert.equal(nspawnEnvironment(true)["SYSTEMD_SECCOMP"], undefined);
  assert.equal(nspawnEnvironment(false)["SYSTEMD_SECCOMP"], "0");
});

Deno.test("nspawnVersion() is the first number, also of a release candidate", async () => {
  const stored = { value: null as string | null };
  for (
    const [text, version] of [
      ["systemd 252 (252.39-1~deb12u1)\n+PAM", 252],
      ["systemd 258~rc1 (258~rc1-2)\n", 258],
    ] as const
  ) {
    const { host } = recordingHost({ answer: () => ({ stdout: text }) });
    const files = {
      ...host.files,
      read: () => Promise.resolve(null),
      makeDirectory: () => Promise.resolve(),
      replace: (_: string, kept: string) => Promise.resolve(void (stored.value = kept)),
    };
    assert.equal(await nspawnVersion({ ...host, files }), version);
    const again = recordingHost();
    const known = { ...again.host.files, read: () => Promise.resolve(stored.value) };
    if (stored.value === null) continue; // no nspawn on this machine to know the version of
    assert.equal(await nspawnVersion({ ...again.host, files: known }), version);
    assert.equal(again.processes.length, 0);
  }
});

Deno.test("nspawnVersion() refuses what says no version", async () => {
  const { host } = recordingHost({ answer: () => ({ stdout: "hello" }) });
  const files = { ...host.files, read: () => Promise.resolve(null) };
  await assert.rejects(nspawnVersion({ ...host, files }), /version of systemd-nspawn/);
});
