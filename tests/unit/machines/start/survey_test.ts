import assert from "node:assert/strict";
import { denoHost } from "../../../../src/host/deno_host.ts";
import { identify } from "../../../../src/linux/proc.ts";
import { surveyHost } from "../../../../src/machines/start/survey.ts";
import { planOf } from "../fixture.ts";

/** Surveys this machine as for a job that this watches. */
function survey(
  watcher: "gitlab-runner" | "self" | "none",
  { diskReserve = 0, player = "" } = {},
) {
  const host = denoHost();
  const env = (name: string) => name === "NSPAWN_RUNNER_PLAYER" ? player : undefined;
  const plan = planOf("/");
  return surveyHost({ ...host, env }, { ...plan, job: { ...plan.job, watcher }, diskReserve });
}

Deno.test("surveyHost() finds facts about the kernel, the free space, and the supervisor of this machine", async () => {
  const { kernel, freeBytes, supervisor } = await survey("none", { diskReserve: 1 });
  assert.match(kernel.boot, /^[0-9a-f-]{36}$/);
  assert.equal(parseInt(kernel.stat), Deno.pid);
  assert.ok(kernel.mounts.some(({ point }) => point === "/"));
  assert.ok(kernel.links.includes("lo"));
  assert.ok(Number.isSafeInteger(freeBytes) && freeBytes > 0);
  assert.ok(["systemd", "standalone"].includes(supervisor.kind));
});

Deno.test("surveyHost() asks for no free space where none is reserved", async () => {
  assert.equal((await survey("none")).freeBytes, Infinity);
});

Deno.test("surveyHost() finds who watches the machine: nobody, this process, or the player of GitLab Runner", async () => {
  const own = await identify(denoHost(), Deno.pid);
  assert.ok(own !== null);
  assert.equal((await survey("none", { player: `${Deno.pid}` })).runner, null);
  assert.deepEqual((await survey("self", { player: "1" })).runner, own);
  assert.deepEqual((await survey("gitlab-runner", { player: `${Deno.pid}` })).runner, own);
});
