import assert from "node:assert/strict";
import type { Files, Stat } from "../../../src/host/host.ts";
import {
  commonNspawnArgv,
  escapeColons,
  hasSeccomp,
  nspawnVersion,
  type Registration,
} from "../../../src/linux/nspawn.ts";
import { recordingHost } from "../recording_host.ts";

/** Returns a host whose nspawn prints these texts in turn, with a cache, and an executable that can change. */
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

Deno.test("nspawnVersion() asks once, and again when the executable has changed", async () => {
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

Deno.test("nspawnVersion() caches nothing where it does not find the executable", async () => {
  const { host, executable, kept } = versionHost("systemd 252 (x)\n", "systemd 257 (x)\n");
  executable.isThere = false;
  assert.deepEqual([await nspawnVersion(host), await nspawnVersion(host)], [252, 257]);
  assert.equal(kept.size, 0);
});

Deno.test("nspawnVersion() fails on output without a version, and caches nothing", async () => {
  for (const text of ["hello", "", "systemd\n", "systemd x\n", "sh: systemd 252\n"]) {
    const { host, kept } = versionHost(text);
    const expected = { kind: "host", message: /version of systemd-nspawn/ };
    await assert.rejects(nspawnVersion(host), expected);
    assert.equal(kept.size, 0);
  }
});

Deno.test("commonNspawnArgv() registers a machine as its caller says, and hands on a terminal", () => {
  const argv = (registration: Registration, terminal?: boolean) =>
    commonNspawnArgv({
      machine: "m",
      registration,
      timezone: ["--timezone=off"],
      ...(terminal === undefined ? {} : { terminal }),
    }).slice(2, -3);
  const [name, zone, pipe] = ["--machine=m", "--timezone=off", "--console=pipe"];
  assert.deepEqual(argv("scope"), [name, zone, pipe]);
  assert.deepEqual(argv("unit"), [name, "--keep-unit", zone, pipe]);
  assert.deepEqual(argv("none"), [name, "--register=no", "--keep-unit", zone, pipe]);
  assert.deepEqual(argv("scope", true), [name, zone, "--console=interactive"]);
});

Deno.test("commonNspawnArgv() reads no settings of other files, and limits core dumps and open files", () => {
  const argv = commonNspawnArgv({ machine: "m", registration: "unit", timezone: [] });
  assert.deepEqual(argv.slice(-3), [
    "--settings=no",
    "--rlimit=RLIMIT_NOFILE=1024:524288",
    "--rlimit=RLIMIT_CORE=1",
  ]);
});

Deno.test("escapeColons() escapes what separates paths, and the escape itself", () => {
  assert.equal(escapeColons("/a:b\\c"), "/a\\:b\\\\c");
});

Deno.test("hasSeccomp() looks for the feature that systemd was built with", async () => {
  for (const [features, filters] of [["+PAM +SECCOMP", true], ["+PAM -SECCOMP", false]] as const) {
    const { host } = versionHost(`systemd 252 (x)\n${features}\n`);
    assert.equal(await hasSeccomp(host), filters);
  }
});
