import assert from "node:assert/strict";
import {
  fileSystemOf,
  FIND_RUNNER_SCRIPT,
  kernelFacts,
  parseCgroup,
  parseMounts,
} from "../../../src/linux/proc.ts";
import { inspectInitProcess } from "../../../src/machines/nspawn/init_process.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const MOUNTINFO = `21 1 8:1 / / rw,relatime - ext4 /dev/vda rw
22 21 0:5 / /proc rw shared:1 - proc proc rw
23 21 0:40 / /var/lib/nspawn-runner rw - btrfs /dev/vdb rw
24 23 0:41 / /var/lib/nspawn-runner/.machines/a\\040b\\134c rw - tmpfs none rw
25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
26 23 0:43 / /var/lib/nspawn-runner rw master:1 propagate_from:2 - xfs /dev/vdc rw
`;

Deno.test("parseMounts() reads points, types and escapes, and passes over all else", () => {
  const mounts = parseMounts(`0::/x\nfoo - bar\n${MOUNTINFO}`);
  assert.equal(mounts.length, 6);
  assert.deepEqual(mounts[3], { point: "/var/lib/nspawn-runner/.machines/a b\\c", type: "tmpfs" });
});

Deno.test("fileSystemOf() goes by the longest mount point, and by the last of two", () => {
  const mounts = parseMounts(MOUNTINFO);
  assert.equal(fileSystemOf(mounts, "/var/lib/nspawn-runner/bookworm"), "xfs");
  assert.equal(fileSystemOf(mounts.slice(0, 5), "/var/lib/nspawn-runner"), "btrfs");
  assert.equal(fileSystemOf(mounts, "/var/lib/nspawn-runner-else"), "ext4");
  assert.equal(fileSystemOf(mounts, "/proc/1"), "proc");
  assert.equal(fileSystemOf([], "/"), "");
});

Deno.test("parseCgroup() takes the unified hierarchy out of a mixed one", () => {
  assert.equal(parseCgroup("9:name=systemd:/a\n1:cpu:/b\n0::/c/d e\n"), "/c/d e");
  assert.equal(parseCgroup("7 (a0::/b) S 1\n0::/c\n"), "/c");
  assert.equal(parseCgroup("1:cpu:/b\n"), null);
});

Deno.test("kernelFacts() are this machine's, from one process", async () => {
  const recording = recordingHost({ real: ["cat"] });
  const host = { ...recording.host, pid: () => Deno.pid };
  const facts = await kernelFacts(host);
  assert.match(facts.boot, /^[0-9a-f-]{36}$/);
  assert.equal(parseInt(facts.stat), Deno.pid);
  assert.ok(facts.mounts.some(({ point }) => point === "/"));
  assert.equal(recording.processes.length, 1);
});

Deno.test("describeLeader() counts the capabilities that a machine can never have", async () => {
  const stat = `5 (systemd) S ${Array(18).fill("0").join(" ")} 99 0\n`;
  const status = "Name:\tsystemd\nNSpid:\t5\t1\nCapBnd:\t00000000fcecafff\nNoNewPrivs:\t1\n";
  const text = `${stat}${status}0::/machine.slice/m/payload\n40\n${MOUNTINFO}`;
  const { host } = recordingHost({ answer: () => ({ stdout: text }) });
  const leader = await inspectInitProcess(host, 5);
  assert.equal(leader?.start, 99);
  assert.equal(leader?.cgroup, "/sys/fs/cgroup/machine.slice/m/payload");
  assert.ok(leader?.noNewPrivileges);
  const dropped = [12, 14, 16, 17, 20, 24, 25, 32, 33, 34, 35, 36, 37, 38, 39, 40];
  assert.deepEqual(leader?.dropped, dropped);
});

Deno.test("describeLeader() is null for a process that is gone", async () => {
  const { host } = recordingHost({ answer: () => ({ stdout: `40\n${MOUNTINFO}`, code: 1 }) });
  assert.equal(await inspectInitProcess(host, 5), null);
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

Deno.test("FIND_RUNNER_SCRIPT passes over a script with the name of GitLab Runner", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/gitlab-runner`, '#!/bin/sh\nsh "$@"\n:\n', { mode: 0o755 });
    const [pid, found] = await findRunner(`${folder}/gitlab-runner`);
    assert.ok(!found.startsWith(`${pid} `), found);
  });
});
