import assert from "node:assert/strict";
import {
  inotify,
  limits,
  nspawn,
  runnerService,
  seccomp,
  timers,
} from "../../../src/doctor/systemd.ts";
import { find, state } from "./fixture.ts";

Deno.test("nspawn() is broken where systemd-nspawn is too old", async () => {
  const versions = [["257 (257.9)", "ok"], ["247 (x)", "ok"], ["245 (x)", "broken"]] as const;
  for (const [version, expected] of versions) {
    const answer = ([program]: readonly string[]) =>
      program === "systemd-nspawn" ? { stdout: `systemd ${version}\n` } : undefined;
    const [finding] = await find(nspawn, { answer });
    assert.equal(finding?.state, expected);
  }
});

Deno.test("seccomp() is broken where systemd-nspawn or the kernel was built without it", async () => {
  const STATUS = "Name:\tcat\nSeccomp:\t0\n";
  for (
    const [built, status, expected] of [
      ["+SECCOMP", STATUS, "ok"],
      ["-SECCOMP", STATUS, "broken"],
      ["+SECCOMP", "Name:\tcat\n", "broken"],
    ] as const
  ) {
    const answer = ([program]: readonly string[]) => ({
      stdout: program === "cat" ? status : `systemd 257 (x)\n+PAM ${built} +ACL\n`,
    });
    assert.equal((await find(seccomp, { answer }))[0]?.state, expected);
  }
});

Deno.test("limits() names the controllers that are missing", async () => {
  const files = { "/run/systemd/system": "" };
  const controllers = (stdout: string) => ({ files, answer: () => ({ stdout }) });
  assert.deepEqual((await find(limits, {})).map(state), [["weak", true]]);
  assert.deepEqual(
    (await find(limits, controllers("cpuset cpu io memory pids\n"))).map(state),
    [["ok", false]],
  );
  const [missing] = await find(limits, controllers("cpu pids\n"));
  assert.deepEqual([missing?.state, missing?.found], [
    "weak",
    "no cgroup v2 controller for memory, io",
  ]);
});

Deno.test("runnerService() is weak where a stop of GitLab Runner aborts its jobs", async () => {
  const states = async (stdout: string) =>
    (await find(runnerService, { answer: () => ({ stdout }) })).map(state);
  assert.deepEqual(await states("LoadState=loaded\nKillSignal=15\n"), [["weak", true]]);
  assert.deepEqual(await states("KillSignal=3\nLoadState=loaded\n"), [["ok", false]]);
  assert.deepEqual(await states("LoadState=not-found\nKillSignal=15\n"), []);
});

Deno.test("inotify() is weak where one job can take all instances, and nothing can raise them", async () => {
  for (
    const [stdout, code, expected] of [["1048576\n", 1, "ok"], ["128\n", 0, "ok"], [
      "128\n",
      1,
      "weak",
    ]] as const
  ) {
    const [finding] = await find(inotify, { answer: () => ({ stdout, code }) });
    assert.equal(finding?.state, expected, stdout);
  }
});

Deno.test("timers() names the timers that are not active", async () => {
  const answer = (argv: readonly string[]) => ({
    stdout: argv.at(-1)!.includes("-gc") ? "active\n" : "inactive\n",
  });
  const [finding] = await find(timers, { answer });
  assert.deepEqual([finding?.state, finding?.found], [
    "weak",
    "not active: nspawn-runner-maintenance.timer",
  ]);
  const [well] = await find(timers, { answer: () => ({ stdout: "active\n" }) });
  assert.equal(well?.state, "ok");
});
