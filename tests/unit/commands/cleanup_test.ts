/** cleanup as GitLab Runner calls it, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { leaseOf } from "../machines/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { MACHINE, scene, SERVER_HASH, withMachine } from "./fixture.ts";

Deno.test("cleanup ends this job's machine and no other, and again is done", async () => {
  await inFolder(async (folder) => {
    const { host, store, commands, err } = await scene(folder);
    await withMachine(host, store);
    await writeLease(host, leaseOf(store, "666", { supervisor: "standalone" }));
    assert.equal(await main(["cleanup"], host), 0);
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-666.json"]);
    assert.ok(!commands().join().includes("run-666"));
    assert.equal(err(), "", "what cleanup says would be a warning in the runner's log");
    assert.equal(await main(["-v", "cleanup"], host), 0);
    assert.match(err(), /Nothing to remove/);
  });
});

Deno.test("cleanup ends no machine of a server whose hash begins alike", async () => {
  await inFolder(async (folder) => {
    const { host, store, err } = await scene(folder);
    for (
      const [server, kept] of [[`${SERVER_HASH}${"0".repeat(24)}`, 1], [SERVER_HASH, 0]] as const
    ) {
      await writeLease(host, {
        ...leaseOf(store, "42", { supervisor: "standalone", server }),
        machine: MACHINE,
      });
      assert.equal(await main(["cleanup"], host), 0);
      assert.equal((await host.files.list(`${store}/.leases`)).length, kept, server);
    }
    assert.match(err(), /left alone: its job is of another GitLab server/);
  });
});
