import assert from "node:assert/strict";
import { inspectInitProcess } from "../../../../src/machines/nspawn/init_process.ts";
import { skip } from "../../../skip.ts";
import { recordingHost } from "../../recording_host.ts";
import { statOf } from "../supervisor/standalone_host.ts";

const CGROUP2 = "25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

/** What is said of a PID 1 of which the kernel says this. */
function described(text: string) {
  return inspectInitProcess(recordingHost({ answer: () => ({ stdout: text }) }).host, 5);
}

/** Starts a process, and ends it once it was looked at. */
async function beside<T>(words: readonly string[], look: (pid: number) => Promise<T>): Promise<T> {
  const [program, ...args] = words;
  const child = new Deno.Command(program!, { args, stdout: "piped", stderr: "null" }).spawn();
  try {
    const reader = child.stdout.getReader();
    await reader.read(); // it says when it is what it is to be
    await reader.cancel();
    return await look(child.pid);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

const { host } = recordingHost({ real: ["cat", "stat"] });
const SAID = ["sh", "-c", "echo; exec sleep 60"];

Deno.test("describeLeader() describes a real process", async () => {
  const name = "describeLeader() describes a real process";
  const stat = await host.processes.capture(["cat", "/proc/self/mountinfo"]);
  if (!stat.stdout.includes(" - cgroup2 ")) return skip(name, "no unified cgroup hierarchy");
  await beside(SAID, async (pid) => {
    const leader = await inspectInitProcess(host, pid);
    assert.equal(leader?.pid, pid);
    assert.ok(leader.start > 0 && leader.cgroup.startsWith("/"));
    assert.equal(leader.noNewPrivileges, false);
  });
});

Deno.test("describeLeader() sees a real process's ids, and who owns its root", async () => {
  const leader = await beside(SAID, (pid) => inspectInitProcess(host, pid));
  if (leader === null) return skip("describeLeader()", "no unified cgroup hierarchy");
  const { stdout } = await host.processes.capture(["cat", "/proc/self/uid_map"]);
  assert.deepEqual(leader.idMap, [stdout.trim().split(/\s+/).join(" ")]);
  assert.equal(leader.rootOwner, `${(await Deno.stat("/usr")).uid}`);
});

Deno.test("describeLeader() sees what a real process can never have", async () => {
  const name = "describeLeader() sees what a real process can never have";
  if (Deno.uid() !== 0) return skip(name, "not root");
  const own = await beside(SAID, (pid) => inspectInitProcess(host, pid));
  if (own === null) return skip(name, "no unified cgroup hierarchy");
  const [first, second] = [0, 5].filter((number) => !own.dropped.includes(number));
  if (second === undefined) return skip(name, "no capabilities to drop");
  const less = `-cap_${first},-cap_${second}`;
  const leader = await beside(
    ["setpriv", `--bounding-set=${less}`, "--no-new-privs", ...SAID],
    (pid) => inspectInitProcess(host, pid),
  );
  assert.ok(leader?.noNewPrivileges);
  const dropped = [...own.dropped, first!, second].sort((a, b) => a - b);
  assert.deepEqual(leader.dropped, dropped);
});

Deno.test("describeLeader() counts up to the kernel's last capability, and no farther", async () => {
  const text = (last: string) =>
    `${statOf(5, 9)}CapBnd:\t0000000000000003\n0::/m\n${last}${CGROUP2}`;
  assert.deepEqual((await described(text("3\n")))?.dropped, [2, 3]);
  // A number that is no line of its own is no last capability, wherever it stands.
  assert.equal((await described(text("")))?.dropped.at(-1), 40);
  assert.equal((await described(text("12 3\n")))?.dropped.at(-1), 40);
});

Deno.test("describeLeader() takes a set that is not told for an empty one", async () => {
  const leader = await described(`${statOf(5, 9)}0::/m\n1\n${CGROUP2}`);
  assert.deepEqual(leader?.dropped, [0, 1]);
  assert.equal(leader?.noNewPrivileges, false);
});

Deno.test("describeLeader() is null where its cgroup is not to be known, or it has ended", async () => {
  const status = "CapBnd:\t3\n";
  assert.ok(await described(`${statOf(5, 9)}${status}0::/m\n40\n${CGROUP2}`));
  assert.equal(await described(`${statOf(5, 9)}${status}40\n${CGROUP2}`), null);
  assert.equal(await described(`${statOf(5, 9)}${status}0::/m\n40\n`), null);
  const zombie = statOf(5, 9).replace(" S ", " Z ");
  assert.equal(await described(`${zombie}${status}0::/m\n40\n${CGROUP2}`), null);
});
