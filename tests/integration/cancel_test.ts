/** Signals to the program's process group, as GitLab Runner sends them. */

import assert from "node:assert/strict";
import { timed } from "../hosts/command.ts";
import { onEachHost, onEachMachine } from "../hosts/shared.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { CHROOT, newJob, runScript, type Site, withMachine } from "../hosts/site.ts";

/** A script as GitLab Runner wraps it. */
const SCRIPT = `#!/usr/bin/env bash
trap 'exit 1' TERM
set -o errexit
(trap 'exit 1' TERM; eval $'echo begun\\nsetsid sleep 876 >/dev/null 2>&1 &\\nsleep 876\\n') </dev/null
exit 0
`;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  onEachMachine(
    `${signal} to run ends the script with all it started, not the machine`,
    async (site, id) => {
      const running = site.start(["run", "--id", id, await site.put(SCRIPT), "build_script"]);
      await running.untilPrinted("begun");
      const began = Date.now();
      await site.host.signal(running, signal);
      const done = await running.ended;
      assert.notEqual(done.code, 0);
      assert.ok(Date.now() - began < 60_000, `${Date.now() - began} ms`);
      const after = await runScript(site, id, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '\n");
      assert.equal(after.code, 0, after.stderr);
      assert.doesNotMatch(after.stdout, /sleep 876/);
    },
  );
}

onEachMachine("SIGTERM to run never ends the stage that follows", async (site, id) => {
  for (let attempt = 0; attempt < 4; attempt++) {
    const path = await site.put("trap 'exit 1' TERM\necho begun\nsleep 60 &\nwait\n");
    const running = site.start(["run", "--id", id, path, "build_script"]);
    await running.untilPrinted("begun");
    await site.host.signal(running, "SIGTERM");
    assert.notEqual((await running.ended).code, 0);
    // Longer than a cancelled stage has to end.
    const next = await runScript(site, id, "sleep 2.5\n");
    assert.equal(next.code, 0, `attempt ${attempt}`);
  }
});

onEachMachine("SIGTERM to run ends a script that ignores it", async (site, id) => {
  const script = "trap '' TERM INT HUP\necho begun\nwhile :; do sleep 1; done\n";
  const running = site.start(["run", "--id", id, await site.put(script)]);
  await running.untilPrinted("begun");
  const began = Date.now();
  await site.host.signal(running, "SIGTERM");
  assert.notEqual((await running.ended).code, 0);
  assert.ok(Date.now() - began < 60_000, `${Date.now() - began} ms`);
  assert.equal((await runScript(site, id, "exit 0\n")).code, 0);
});

/** A killed nspawn leaves its lock beside the chroot; the next machine of that chroot removes it. */
const NSPAWN_LOCK = new RegExp(`/\\.#${CHROOT}\\.lck$`);

onEachHost("SIGTERM to prepare leaves nothing", async (site) => {
  await interruptAtPoints(site, "SIGTERM");
});

onEachHost("SIGKILL to prepare leaves nothing that cleanup cannot remove", async (site) => {
  await interruptAtPoints(site, "SIGKILL");
});

/** The number of points, evenly spaced over the duration of an undisturbed prepare. */
const POINTS = 6;

async function interruptAtPoints(site: Site, signal: Deno.Signal): Promise<void> {
  const id = newJob();
  const duration = await timed(() => site.call(["prepare", CHROOT, "--id", id]));
  assert.equal((await site.call(["cleanup", "--id", id])).code, 0);
  for (let point = 0; point < POINTS; point++) {
    await interruptPrepare(site, signal, duration * point / POINTS);
  }
  await withMachine(site, async () => {});
}

async function interruptPrepare(site: Site, signal: Deno.Signal, delay: number): Promise<void> {
  const id = newJob();
  const running = site.start(["prepare", CHROOT, "--id", id]);
  await new Promise((resolve) => setTimeout(resolve, delay));
  const began = Date.now();
  await site.host.signal(running, signal);
  await running.ended;
  assert.ok(Date.now() - began < 60_000, `after ${delay} ms: ${Date.now() - began} ms`);
  const gone = await site.call(["cleanup", "--id", id]);
  assert.equal(gone.code, 0, `after ${delay} ms: ${gone.stderr}`);
  assert.deepEqual(await leftovers(site.host, NSPAWN_LOCK), [], `after ${delay} ms`);
}

onEachMachine("cleanup ends a machine in which a script runs", async (site, id) => {
  const running = site.start(["run", "--id", id, await site.put("echo begun\nsleep 765\n")]);
  await running.untilPrinted("begun");
  const gone = await site.call(["cleanup", "--id", id]);
  assert.equal(gone.code, 0, gone.stderr);
  assert.equal((await running.ended).code, 125, "a machine that is lost is the host's failure");
});
