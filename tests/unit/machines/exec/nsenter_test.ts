import assert from "node:assert/strict";
import { nsenter, RUN_WITH_LIMITS_SCRIPT } from "../../../../src/machines/exec/nsenter.ts";
import { leaseOf } from "../fixture.ts";
import { LEADER, NONCE, reportOf, runScene } from "./stage_scene.ts";

Deno.test("nsenter.run() runs a stage in its own cgroup, with the capabilities of the machine's PID 1", async () => {
  const { ending, processes } = await runScene({ exec: nsenter, report: reportOf(4) });
  assert.deepEqual(ending, { kind: "exited", code: 4 });
  assert.deepEqual(processes[0]!.argv.slice(3), [
    "sh",
    "200", // hundredths of a second between SIGTERM and SIGKILL for what it leaves running
    `/cg/m/stage-${NONCE}`,
    ...["sh", "-c", RUN_WITH_LIMITS_SCRIPT, "sh"],
    "setpriv",
    "--bounding-set=-cap_12,-cap_14",
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    "nsenter",
    "--target=77",
    "--all",
    "--",
    "/bin/sh",
    "reporter",
  ]);
});

Deno.test("nsenter.run() drops no capability where the machine's PID 1 has dropped none", async () => {
  const leader = { ...LEADER, dropped: [], noNewPrivileges: false };
  const { commands } = await runScene({ exec: nsenter, report: reportOf(0), leader });
  assert.match(
    commands()[0]!,
    / setpriv --inh-caps=-all -- nsenter --target=77 --all -- \/bin\/sh /,
  );
});

Deno.test("nsenter.run() drops CAP_SYS_ADMIN after it has entered, by tools that no job can change", async () => {
  const leader = { ...LEADER, dropped: [21] };
  const { processes } = await runScene({ exec: nsenter, report: reportOf(0), leader });
  const words = processes[0]!.argv.slice(10);
  assert.deepEqual(words.slice(0, 5), [
    "unshare",
    "--mount",
    "--propagation=slave",
    "sh",
    "-c",
  ]);
  assert.deepEqual(words.slice(7), [
    `/store/.machines/${leaseOf("/store", "42").machine}/tools`,
    "nsenter",
    "--target=77",
    "--all",
    "--root=.",
    "--wd=/proc/77/root",
    "--",
    "setpriv",
    "--bounding-set=-cap_21",
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    "chroot",
    ".",
    "/bin/sh",
    "reporter",
  ]);
});

Deno.test("RUN_WITH_LIMITS_SCRIPT gives a script the same limits from every caller, and a pipe without input", async () => {
  const show =
    "ulimit -S -n; ulimit -H -n; grep core /proc/self/limits; readlink /proc/$$/fd/0; cat";
  const script = RUN_WITH_LIMITS_SCRIPT;
  const limits = async (more: string) => {
    const args = ["-c", `${more}exec "$@"`, "sh", "sh", "-c", script, "sh", "sh", "-c", show];
    const { stdout } = await new Deno.Command("sh", { args, stdin: "null" }).output();
    return new TextDecoder().decode(stdout).replaceAll(/ +/g, " ");
  };
  // A host may allow fewer open files; none of its own limits is lower than systemd's soft one.
  const expected = /^1024\n\d+\nMax core file size 1 1 bytes *\npipe:\[\d+\]\n$/;
  for (const callers of ["", "ulimit -S -n 2000; ", "ulimit -S -c 0; "]) {
    assert.match(await limits(callers), expected);
  }
});
