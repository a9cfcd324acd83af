import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { foldersInUse } from "../../../../src/machines/record/caches.ts";
import { freeIds } from "../../../../src/machines/record/ids.ts";
import {
  findLease,
  leasesOfHost,
  listLeases,
  readLease,
  removeLease,
  writeLease,
} from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { leaseLink, machinePaths } from "../../../../src/machines/record/paths.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

Deno.test("writeLease() is read back, seen by root alone, and removed", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const lease = leaseOf(store, "1");
    await writeLease(host, lease);
    assert.deepEqual(await readLease(host, store, lease.machine), lease);
    const path = machinePaths(store, lease.machine).lease;
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    assert.equal((await Deno.stat(`${store}/.leases`)).mode! & 0o777, 0o700);
    await removeLease(host, lease);
    await removeLease(host, lease);
    assert.equal(await readLease(host, store, lease.machine), null);
  });
});

Deno.test("writeLease() waits for the disk only where files are kept, which outlive a crash of the host", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const durable: string[] = [];
    const files: typeof host.files = {
      ...host.files,
      replace(path, text) {
        durable.push(path);
        return host.files.replace(path, text);
      },
    };
    const held = leaseOf(store, "2", { held: "2026-01-01T00:00:00.000Z" });
    for (const lease of [leaseOf(store, "1"), held]) await writeLease({ ...host, files }, lease);
    assert.deepEqual(durable, [machinePaths(store, held.machine).lease]);
    assert.equal((await listLeases(host, store)).length, 2);
  });
});

Deno.test("readLease() refuses a damaged lease and one of another machine", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const lease = leaseOf(store, "1");
    await writeLease(host, lease);
    const path = machinePaths(store, lease.machine).lease;
    const bad = ["", "{", "null", JSON.stringify({ ...lease, machine: "run-2" })];
    for (const text of [...bad, JSON.stringify({ ...lease, version: 2 })]) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(readLease(host, store, lease.machine), Failure);
    }
  });
});

Deno.test("readLease() takes the tree of an earlier release's machine for its only layer", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    const lease = leaseOf(store, "1");
    const { lower: _, ...chroot } = lease.chroot;
    await host.files.makeDirectory(`${store}/.leases`);
    await host.files.write(
      machinePaths(store, lease.machine).lease,
      JSON.stringify({ ...lease, chroot }),
    );
    const lower = { folder: chroot.path, layers: ["."] };
    assert.deepEqual((await readLease(host, store, lease.machine))?.chroot, { ...chroot, lower });
  });
});

Deno.test("listLeases() leaves out damaged leases", async () => {
  await inFolder(async (store) => {
    const { host } = recordingHost();
    assert.deepEqual(await listLeases(host, store), []);
    for (const id of ["2", "1"]) await writeLease(host, leaseOf(store, id));
    await Deno.writeTextFile(`${store}/.leases/run-3.json`, "{");
    await Deno.writeTextFile(`${store}/.leases/.run-4.json.77`, "{}");
    await Deno.writeTextFile(`${store}/.leases/run-5.json`, JSON.stringify(leaseOf(store, "6")));
    assert.deepEqual((await listLeases(host, store)).map(({ job }) => job), ["1", "2"]);
  });
});

Deno.test("leasesOfHost() lists machines of other stores, and its own once", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    await host.files.makeDirectory("/run/nspawn-runner");
    const [own, other] = [leaseOf(`${folder}/a`, "1"), leaseOf(`${folder}/b`, "2", { ids: 7 })];
    for (const lease of [own, other]) {
      await writeLease(host, lease);
      await host.files.symlink(
        machinePaths(lease.store, lease.machine).lease,
        leaseLink(lease.machine),
      );
    }
    await host.files.write("/run/nspawn-runner/run-3.lease", "half");
    assert.deepEqual(await leasesOfHost(host, own.store), [own, other]);
    // Earlier versions wrote the path of the configuration, which may be a symlink.
    await writeLease(host, own);
    const path = machinePaths(own.store, own.machine).lease;
    const linked = { ...own, store: `${folder}/link` };
    await host.files.replace(path, JSON.stringify(linked));
    const real = (one: string) => Promise.resolve(one === leaseLink(own.machine) ? path : null);
    const seen = await leasesOfHost({ ...host, files: { ...host.files, real } }, own.store);
    assert.deepEqual(seen, [linked, other]);
  });
});

Deno.test("findLease() ignores a link that leads to another machine's lease", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const machine = machineName("42", "ba7816bf");
    const other = leaseOf(store, "7");
    await writeLease(host, other);
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.symlink(`${store}/.leases/run-7.json`, `/run/nspawn-runner/${machine}.lease`);
    assert.equal(await findLease(host, machine, () => Promise.resolve(store)), null);
    const own = { ...leaseOf(store, "42"), machine };
    await writeLease(host, own);
    assert.deepEqual(await findLease(host, machine, () => Promise.resolve(store)), own);
  });
});

Deno.test("leases of another version keep what they reserve, and are named as such", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const reserved = {
      ids: 65536,
      layer: "/layer",
      network: { kind: "private", slot: 3 },
      folders: [`${store}/folder`],
      preparer: { pid: 7, start: 1 },
    } as const;
    const { storage: _, ...lease } = leaseOf(store, "1", reserved);
    await host.files.makeDirectory(`${store}/.leases`);
    const path = machinePaths(store, lease.machine).lease;
    const next = { ...lease, version: 2, store, held: undefined, job: 7, unknown: {} };
    await host.files.write(path, JSON.stringify(next));
    assert.deepEqual(await listLeases(host, store), []);
    const [common] = await leasesOfHost(host, store);
    for (const [key, value] of Object.entries(reserved)) {
      assert.deepEqual(common?.[key as keyof typeof reserved], value, key);
    }
    assert.deepEqual(common?.chroot, lease.chroot);
    assert.deepEqual([...await foldersInUse(host, store)], [`${store}/folder`]);
    assert.equal(freeIds({ leases: [common!] }), freeIds({ leases: [] }));
    await assert.rejects(
      readLease(host, store, lease.machine),
      /another version of nspawn-runner wrote it/,
    );
    await host.files.write(path, JSON.stringify({ ...next, ids: "x", folders: 7, network: null }));
    assert.deepEqual((await leasesOfHost(host, store)).map(({ ids }) => ids), [null]);
  });
});
