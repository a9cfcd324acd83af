import assert from "node:assert/strict";
import {
  fileSystemOf,
  FIND_RUNNER_SCRIPT,
  identify,
  isAlive,
  kernelFacts,
  parseCgroup,
  parseMounts,
  parseStat,
} from "../../../src/linux/proc.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const MOUNTINFO = `21 1 8:1 / / rw,relatime - ext4 /dev/vda rw
22 21 0:5 / /proc rw shared:1 - proc proc rw
23 21 0:40 / /var/lib/nspawn-runner rw - btrfs /dev/vdb rw
24 23 0:41 / /var/lib/nspawn-runner/.machines/a\\040b\\134c rw - tmpfs none rw
25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
26 23 0:43 / /var/lib/nspawn-runner rw master:1 propagate_from:2 - xfs /dev/vdc rw
`;

Deno.test("parseMounts() reads points, types, folders and escapes, and ignores other lines", () => {
  const mounts = parseMounts(`0::/x\nfoo - bar\n${MOUNTINFO}`);
  assert.equal(mounts.length, 6);
  assert.deepEqual(mounts[3], {
    point: "/var/lib/nspawn-runner/.machines/a b\\c",
    type: "tmpfs",
    device: "0:41",
    root: "/",
  });
});

Deno.test("fileSystemOf() takes the longest mount point, and of two the last", () => {
  const mounts = parseMounts(MOUNTINFO);
  assert.equal(fileSystemOf(mounts, "/var/lib/nspawn-runner/bookworm"), "xfs");
  assert.equal(fileSystemOf(mounts.slice(0, 5), "/var/lib/nspawn-runner"), "btrfs");
  assert.equal(fileSystemOf(mounts, "/var/lib/nspawn-runner-else"), "ext4");
  assert.equal(fileSystemOf(mounts, "/proc/1"), "proc");
  assert.equal(fileSystemOf([], "/"), "");
});

Deno.test("parseCgroup() finds the unified hierarchy among others", () => {
  assert.equal(parseCgroup("9:name=systemd:/a\n1:cpu:/b\n0::/c/d e\n"), "/c/d e");
  assert.equal(parseCgroup("7 (a0::/b) S 1\n0::/c\n"), "/c");
  assert.equal(parseCgroup("1:cpu:/b\n"), null);
});

Deno.test("kernelFacts() reads the facts of this machine with one process", async () => {
  const recording = recordingHost({ real: ["cat"] });
  const host = { ...recording.host, pid: () => Deno.pid };
  const facts = await kernelFacts(host);
  assert.match(facts.boot, /^[0-9a-f-]{36}$/);
  assert.equal(parseInt(facts.stat), Deno.pid);
  assert.ok(facts.mounts.some(({ point }) => point === "/"));
  assert.equal(recording.processes.length, 1);
});

/** A line of proc_pid_stat(5) with the fields that count. */
function stat(pid: number, name: string, state: string, flags: number, start: number): string {
  const between = ["1", "1", "1", "0", "-1", String(flags), ...Array(12).fill("0")];
  return `${pid} (${name}) ${state} ${between.join(" ")} ${start} 0 0\n`;
}

Deno.test("parseStat() finds the start time for any name of the program", () => {
  for (const name of ["sh", "a b", "a) R 1 2 3 (b", "((", "new\nline", ""]) {
    assert.deepEqual(parseStat(stat(7, name, "S", 0, 1234)), { pid: 7, start: 1234 });
  }
});

Deno.test("parseStat() is null for a process that has ended or is exiting", () => {
  assert.equal(parseStat(stat(7, "sh", "Z", 0, 1234)), null);
  assert.equal(parseStat(stat(7, "sh", "X", 0, 1234)), null);
  assert.equal(parseStat(stat(7, "sh", "S", 0x4, 1234)), null);
  for (const text of ["", "7", "7 (sh)", "x (sh) S 1"]) assert.equal(parseStat(text), null);
});

Deno.test("isAlive() is false for a later process with the same id", async () => {
  const { host } = recordingHost({ answer: () => ({ stdout: stat(7, "sh", "S", 0, 1234) }) });
  assert.ok(await isAlive(host, { pid: 7, start: 1234 }));
  assert.ok(!await isAlive(host, { pid: 7, start: 1233 }));
});

Deno.test("identify() finds a real process until it ends", async () => {
  const { host } = recordingHost({ real: ["cat"] });
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const id = await identify(host, child.pid);
  assert.equal(id?.pid, child.pid);
  assert.ok(await isAlive(host, id!));
  child.kill("SIGKILL");
  await child.status;
  assert.ok(!await isAlive(host, id!));
});

/** Runs a program that runs FIND_RUNNER_SCRIPT; returns its process id and what the script printed. */
async function findRunner(program: string): Promise<readonly [pid: number, found: string]> {
  const args = ["-c", `sh -c 'sh -c "$1"; :' sh "$1"; :`, "sh", FIND_RUNNER_SCRIPT];
  const child = new Deno.Command(program, { args, stdout: "piped" }).spawn();
  const { stdout } = await child.output();
  return [child.pid, new TextDecoder().decode(stdout)];
}

Deno.test("FIND_RUNNER_SCRIPT finds a program with the name of GitLab Runner, however far above", async () => {
  await inFolder(async (folder) => {
    await Deno.copyFile("/bin/sh", `${folder}/gitlab-runner`);
    const [pid, found] = await findRunner(`${folder}/gitlab-runner`);
    assert.match(found, new RegExp(`^${pid} \\(gitlab-runner\\) .*\n$`));
  });
});

Deno.test("FIND_RUNNER_SCRIPT ignores a script with the name of GitLab Runner", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/gitlab-runner`, '#!/bin/sh\nsh "$@"\n:\n', { mode: 0o755 });
    const [pid, found] = await findRunner(`${folder}/gitlab-runner`);
    assert.ok(!found.startsWith(`${pid} `), found);
  });
});
