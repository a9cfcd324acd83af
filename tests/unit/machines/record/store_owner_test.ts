import assert from "node:assert/strict";
import type { Host } from "../../../../src/host/host.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import {
  foreignStore,
  markStore,
  refuseOtherHost,
} from "../../../../src/machines/record/store_owner.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";

/** A host with this machine id. */
function hostWith(id: string | null): Host {
  const { host } = recordingHost();
  const read = (path: string) =>
    path === "/etc/machine-id" ? Promise.resolve(id) : host.files.read(path);
  return { ...host, hostname: () => `host-${id?.trim()}`, files: { ...host.files, read } };
}

const mountsOf = (store: string, type: string) => [{ point: "/", type: "ext4" }, {
  point: store,
  type,
}];

Deno.test("markStore() names the host where others can mount the store, and foreignStore() refuses it to them", async () => {
  const types: readonly (readonly [string, boolean])[] = [
    ["nfs4", true],
    ["fuse.glusterfs", true],
    ["virtiofs", true],
    ["ext4", false],
    ["btrfs", false],
    ["fuse.bindfs", false],
  ];
  for (const [type, isMarked] of types) {
    await inFolder(async (store) => {
      const [first, second] = [hostWith("1\n"), hostWith("2\n")];
      await markStore(hostWith(null), store, mountsOf(store, type));
      for (const host of [first, second]) await markStore(host, store, mountsOf(store, type));
      const text = await first.files.read(`${store}/.host`);
      assert.equal(text, isMarked ? "1 host-1\n" : null, type);
      assert.equal(await foreignStore(first, store), null);
      assert.equal(await foreignStore(hostWith(null), store), null);
      const failure = await foreignStore(second, store);
      if (!isMarked) return assert.equal(failure, null);
      assert.equal(failure?.kind, "host");
      assert.match(failure.message, /it is that of another host, host-1$/);
      assert.match(`${failure.hint}`, /rm .*\/\.host$/);
    });
  }
});

Deno.test("refuseOtherHost() goes by the mark and by machines of other hosts", () =>
  inFolder(async (store) => {
    const host = hostWith("1\n");
    await refuseOtherHost(host, store);
    await writeLease(host, leaseOf(store, "7", { host: "1" }));
    await refuseOtherHost(host, store);
    await writeLease(host, leaseOf(store, "8", { host: "2" }));
    await assert.rejects(refuseOtherHost(host, store), /another host has machine run-8 in it/);
    await host.files.write(`${store}/.host`, "2\n");
    await assert.rejects(refuseOtherHost(host, store), /it is that of another host, 2$/);
  }));
