/** What a start finds out about the host, in parallel. */

import assert from "node:assert/strict";
import { readyHost } from "../../../../src/machines/start/ready_host.ts";
import { inFolder } from "../../recording_host.ts";
import { planOf, SETTINGS } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const PRIVATE = { settings: { ...SETTINGS, network: "private" } } as const;

Deno.test("readyHost() runs housekeeping with what the kernel says, while the network is readied", () =>
  inFolder(async (folder) => {
    const order: string[] = [];
    const { host } = standaloneHost(folder, ([program]) => {
      if (program !== "sh") return;
      order.push("network");
      network.resolve();
      return housekeeping.promise.then(() => ({}));
    });
    // Each waits for the other one to begin.
    const network = Promise.withResolvers<void>();
    const housekeeping = Promise.withResolvers<void>();
    const ready = await readyHost(host, planOf(`${folder}/store`, PRIVATE), async ({ kernel }) => {
      order.push(`housekeeping in ${kernel.boot}`);
      housekeeping.resolve();
      await network.promise;
    });
    assert.deepEqual(order.sort(), ["housekeeping in boot-1", "network", "network"]);
    assert.equal(ready.network.kind, "private");
    assert.equal(ready.supervisor.kind, "standalone");
    assert.deepEqual([ready.runner, ready.freeBytes], [null, Infinity]);
  }));

Deno.test("readyHost() throws the network's failure once housekeeping has ended", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(
      folder,
      ([program]) => program === "sh" ? { stdout: "1\n1\nlacks nft\n" } : undefined,
    );
    let hasEnded = false;
    const tidy = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      hasEnded = true;
    };
    await assert.rejects(readyHost(host, planOf(`${folder}/store`, PRIVATE), tidy), /has no nft/);
    assert.ok(hasEnded, "no removal goes on behind a failure");
  }));
