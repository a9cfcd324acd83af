import assert from "node:assert/strict";
import { inspectInitProcess } from "../../../../src/machines/nspawn/init_process.ts";
import { skip } from "../../../skip.ts";
import { recordingHost } from "../../recording_host.ts";
import { statOf } from "../fake_kernel.ts";

const CGROUP2 = "25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

/** Inspects a process whose files in /proc, one after the other, have this text. */
function inspect(text: string) {
  return inspectInitProcess(recordingHost({ answer: () => ({ stdout: text }) }).host, 5);
}

/** Starts a process that prints a line once it is ready, inspects it, and ends it. */
async function withProcess<T>(
  argv: readonly string[],
  act: (pid: number) => Promise<T>,
): Promise<T> {
  const [program, ...args] = argv;
  const child = new Deno.Command(program!, { args, stdout: "piped", stderr: "null" }).spawn();
  try {
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    return await act(child.pid);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

const { host } = recordingHost({ real: ["cat", "stat"] });
const SLEEP = ["sh", "-c", "echo; exec sleep 60"];

Deno.test("inspectInitProcess() inspects a real process", async () => {
  const name = "inspectInitProcess() inspects a real process";
  const stat = await host.processes.capture(["cat", "/proc/self/mountinfo"]);
  if (!stat.stdout.includes(" - cgroup2 ")) return skip(name, "no unified cgroup hierarchy");
  await withProcess(SLEEP, async (pid) => {
    const leader = await inspectInitProcess(host, pid);
    assert.equal(leader?.pid, pid);
    assert.ok(leader.start > 0 && leader.cgroup.startsWith("/"));
    assert.equal(leader.noNewPrivileges, false);
  });
});

Deno.test("inspectInitProcess() reads a real process's id map and the owner of its root", async () => {
  const leader = await withProcess(SLEEP, (pid) => inspectInitProcess(host, pid));
  if (leader === null) {
    return skip(
      "inspectInitProcess() reads a real process's id map",
      "no unified cgroup hierarchy",
    );
  }
  const { stdout } = await host.processes.capture(["cat", "/proc/self/uid_map"]);
  assert.deepEqual(leader.idMap, [stdout.trim().split(/\s+/).join(" ")]);
  assert.equal(leader.rootOwner, `${(await Deno.stat("/usr")).uid}`);
});

Deno.test("inspectInitProcess() reads the capabilities that a real process has dropped", async () => {
  const name = "inspectInitProcess() reads the capabilities that a real process has dropped";
  if (Deno.uid() !== 0) return skip(name, "not root");
  const own = await withProcess(SLEEP, (pid) => inspectInitProcess(host, pid));
  if (own === null) return skip(name, "no unified cgroup hierarchy");
  const [first, second] = [0, 5].filter((number) => !own.dropped.includes(number));
  if (second === undefined) return skip(name, "no capabilities to drop");
  const less = `-cap_${first},-cap_${second}`;
  const leader = await withProcess(
    ["setpriv", `--bounding-set=${less}`, "--no-new-privs", ...SLEEP],
    (pid) => inspectInitProcess(host, pid),
  );
  assert.ok(leader?.noNewPrivileges);
  const dropped = [...own.dropped, first!, second].sort((a, b) => a - b);
  assert.deepEqual(leader.dropped, dropped);
});

Deno.test("inspectInitProcess() counts up to the kernel's last capability", async () => {
  const text = (last: string) =>
    `${statOf(5, 9)}CapBnd:\t0000000000000003\n0::/m\n${last}${CGROUP2}`;
  assert.deepEqual((await inspect(text("3\n")))?.dropped, [2, 3]);
  // Only a line with nothing but a number is the last capability.
  assert.equal((await inspect(text("")))?.dropped.at(-1), 40);
  assert.equal((await inspect(text("12 3\n")))?.dropped.at(-1), 40);
});

Deno.test("inspectInitProcess() takes a missing bounding set for an empty one", async () => {
  const leader = await inspect(`${statOf(5, 9)}0::/m\n1\n${CGROUP2}`);
  assert.deepEqual(leader?.dropped, [0, 1]);
  assert.equal(leader?.noNewPrivileges, false);
});

Deno.test("inspectInitProcess() is null where the cgroup is unknown, or the process has ended", async () => {
  const status = "CapBnd:\t3\n";
  assert.ok(await inspect(`${statOf(5, 9)}${status}0::/m\n40\n${CGROUP2}`));
  assert.equal(await inspect(`${statOf(5, 9)}${status}40\n${CGROUP2}`), null);
  assert.equal(await inspect(`${statOf(5, 9)}${status}0::/m\n40\n`), null);
  const zombie = statOf(5, 9).replace(" S ", " Z ");
  assert.equal(await inspect(`${zombie}${status}0::/m\n40\n${CGROUP2}`), null);
});

Deno.test("inspectInitProcess() counts the capabilities that a machine can never have", async () => {
  const stat = `5 (systemd) S ${Array(18).fill("0").join(" ")} 99 0\n`;
  const status = "Name:\tsystemd\nNSpid:\t5\t1\nCapBnd:\t00000000fcecafff\nNoNewPrivs:\t1\n";
  const text = `${stat}${status}0::/machine.slice/m/payload\n40\n${CGROUP2}`;
  const { host } = recordingHost({ answer: () => ({ stdout: text }) });
  const leader = await inspectInitProcess(host, 5);
  assert.equal(leader?.start, 99);
  assert.equal(leader?.cgroup, "/sys/fs/cgroup/machine.slice/m/payload");
  assert.ok(leader?.noNewPrivileges);
  const dropped = [12, 14, 16, 17, 20, 24, 25, 32, 33, 34, 35, 36, 37, 38, 39, 40];
  assert.deepEqual(leader?.dropped, dropped);
});

Deno.test("inspectInitProcess() is null for a process that is gone", async () => {
  const { host } = recordingHost({ answer: () => ({ stdout: `40\n${CGROUP2}`, code: 1 }) });
  assert.equal(await inspectInitProcess(host, 5), null);
});
