import assert from "node:assert/strict";
import { identify, isAlive, parseStat } from "../../../src/linux/proc.ts";
import { until } from "../../../src/linux/wait.ts";
import { recordingHost } from "../recording_host.ts";

/** A line of proc_pid_stat(5) with the fields that count. */
function stat(pid: number, name: string, state: string, flags: number, start: number): string {
  const between = ["1", "1", "1", "0", "-1", String(flags), ...Array(12).fill("0")];
  return `${pid} (${name}) ${state} ${between.join(" ")} ${start} 0 0\n`;
}

Deno.test("parseStat() finds the start whatever the program is called", () => {
  for (const name of ["sh", "a b", "a) R 1 2 3 (b", "((", "new\nline", ""]) {
    assert.deepEqual(parseStat(stat(7, name, "S", 0, 1234)), { pid: 7, start: 1234 });
  }
});

Deno.test("parseStat() finds nobody in what has ended, or is about to", () => {
  assert.equal(parseStat(stat(7, "sh", "Z", 0, 1234)), null);
  assert.equal(parseStat(stat(7, "sh", "X", 0, 1234)), null);
  assert.equal(parseStat(stat(7, "sh", "S", 0x4, 1234)), null);
  for (const text of ["", "7", "7 (sh)", "x (sh) S 1"]) assert.equal(parseStat(text), null);
});

Deno.test("isAlive() tells a process from a later one of the same pid", async () => {
  const { host } = recordingHost({ answer: () => ({ stdout: stat(7, "sh", "S", 0, 1234) }) });
  assert.ok(await isAlive(host, { pid: 7, start: 1234 }));
  assert.ok(!await isAlive(host, { pid: 7, start: 1233 }));
});

Deno.test("identify() knows a real process until it ends", async () => {
  const { host } = recordingHost({ real: ["cat"] });
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const id = await identify(host, child.pid);
  assert.equal(id?.pid, child.pid);
  assert.ok(await isAlive(host, id!));
  child.kill("SIGKILL");
  await child.status;
  assert.ok(!await isAlive(host, id!));
});

Deno.test("until() gives up when the time is over, and asks at least once", async () => {
  const { host } = recordingHost();
  let asked = 0;
  assert.ok(!await until(host, 100, () => Promise.resolve(++asked < 0)));
  assert.ok(asked > 10 && asked < 100);
  assert.ok(await until(host, 0, () => Promise.resolve(true)));
});
