import assert from "node:assert/strict";
import {
  enterArgv,
  type EnteredMachine,
  questionArgv,
  SHORT_OUTPUT_SCRIPT,
} from "../../../../src/machines/exec/enter.ts";
import { leaseOf } from "../fixture.ts";

/** PID 1 of a booted machine. */
const LEADER = {
  pid: 77,
  start: 5,
  cgroup: "/cg/m/payload/init.scope",
  dropped: [12, 14],
  noNewPrivileges: true,
  filtered: true,
};

const MACHINE: EnteredMachine = { lease: leaseOf("/store", "42"), leader: LEADER };

Deno.test("enterArgv() drops the capabilities that the machine's PID 1 has dropped, before it enters", () => {
  assert.deepEqual(enterArgv(MACHINE, ["ls", "/"]), [
    "setpriv",
    "--bounding-set=-cap_12,-cap_14",
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    ...["nsenter", "--target=77", "--all", "--", "ls", "/"],
  ]);
});

Deno.test("enterArgv() drops no capability where the machine's PID 1 has dropped none", () => {
  const leader = { ...LEADER, dropped: [], noNewPrivileges: false };
  assert.deepEqual(enterArgv({ ...MACHINE, leader }, ["ls"]), [
    ...["setpriv", "--inh-caps=-all", "--", "nsenter", "--target=77", "--all", "--", "ls"],
  ]);
});

Deno.test("enterArgv() drops CAP_SYS_ADMIN after it has entered, by tools that no job can change", () => {
  const words = enterArgv({ ...MACHINE, leader: { ...LEADER, dropped: [21] } }, ["ls"]);
  assert.deepEqual(words.slice(0, 5), ["unshare", "--mount", "--propagation=slave", "sh", "-c"]);
  assert.deepEqual(words.slice(7), [
    `/store/.machines/${leaseOf("/store", "42").machine}/tools`,
    ...["nsenter", "--target=77", "--all", "--root=.", "--wd=/proc/77/root", "--"],
    ...["setpriv", "--bounding-set=-cap_21", "--inh-caps=-all", "--no-new-privs", "--"],
    ...["chroot", ".", "ls"],
  ]);
});

Deno.test("questionArgv() asks in the machine's cgroup, for a while only", () => {
  const words = questionArgv(MACHINE, 5, ["systemctl", "is-system-running"]);
  assert.deepEqual(words.slice(3, 8), ["sh", "/cg/m/question", "sh", "-c", SHORT_OUTPUT_SCRIPT]);
  assert.deepEqual(words.slice(9, 12), ["timeout", "5", "setpriv"]);
  assert.deepEqual(words.slice(-2), ["systemctl", "is-system-running"]);
});

Deno.test("SHORT_OUTPUT_SCRIPT cuts an answer, and drops messages", async () => {
  const endless = ["sh", "-c", "echo x >&2; while echo y; do :; done"];
  const args = ["-c", SHORT_OUTPUT_SCRIPT, "sh", ...endless];
  const { stdout, stderr } = await new Deno.Command("sh", { args }).output();
  assert.deepEqual([stdout.length, stderr.length], [4096, 0]);
});
