import assert from "node:assert/strict";
import { denoHost } from "../../../../src/host/deno_host.ts";
import { identify } from "../../../../src/linux/proc.ts";
import { surveyHost } from "../../../../src/machines/start/survey.ts";

/** Surveys this machine as a call of the process with this id; an empty text for no player. */
function survey({ diskReserve = 0, player = "" } = {}) {
  const host = denoHost();
  const env = (name: string) => name === "NSPAWN_RUNNER_PLAYER" ? player : undefined;
  return surveyHost({ ...host, env }, "/", diskReserve);
}

Deno.test("surveyHost() finds facts about the kernel, the free space, and the supervisor of this machine", async () => {
  const { kernel, freeBytes, supervisor } = await survey({ diskReserve: 1 });
  assert.match(kernel.boot, /^[0-9a-f-]{36}$/);
  assert.equal(parseInt(kernel.stat), Deno.pid);
  assert.ok(kernel.mounts.some(({ point }) => point === "/"));
  assert.ok(kernel.links.includes("lo"));
  assert.ok(Number.isSafeInteger(freeBytes) && freeBytes > 0);
  assert.ok(["systemd", "standalone"].includes(supervisor.kind));
});

Deno.test("surveyHost() asks for no free space where none is reserved", async () => {
  assert.equal((await survey()).freeBytes, Infinity);
});

Deno.test("surveyHost() finds the player of GitLab Runner", async () => {
  const own = await identify(denoHost(), Deno.pid);
  assert.ok(own !== null);
  assert.deepEqual((await survey({ player: `${Deno.pid}` })).gitlabRunner, own);
});
