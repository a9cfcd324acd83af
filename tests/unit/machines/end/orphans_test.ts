/** Leftovers of machines without a lease: what counts as one, and what is removed of it. */

import assert from "node:assert/strict";
import type { KernelFacts } from "../../../../src/linux/proc.ts";
import { findOrphans, type Orphan, removeOrphan } from "../../../../src/machines/end/orphans.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { inFolder, type Recording } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const FACTS: KernelFacts = {
  boot: "boot-1",
  stat: "",
  uptime: null,
  cgroup: "/",
  mounts: [{ point: "/", type: "ext4" }, { point: "/sys/fs/cgroup", type: "cgroup2" }],
  links: [],
};

/** A host with one cgroup of machine run-8, one of a service, and none else. */
function orphanHost(folder: string): Recording {
  return standaloneHost(folder, ([program]) => {
    if (program !== "find") return;
    const paths = ["nspawn-runner-run-8", "nspawn-runner-run-1.service"];
    return { stdout: paths.map((path) => `/sys/fs/cgroup/${path}\0`).join("") };
  });
}

function onHost(act: (recording: Recording, store: string, folder: string) => Promise<void>) {
  return () => inFolder((folder) => act(orphanHost(folder), `${folder}/store`, folder));
}

Deno.test(
  "findOrphans() finds each trace of a machine without a lease",
  onHost(async ({ host }, store) => {
    await host.files.makeDirectory(`${store}/.machines/run-3`);
    await host.files.makeDirectory(`${store}/.disks`);
    await host.files.write(`${store}/.disks/run-3`, "");
    await host.files.makeDirectory(`${store}/.leases`);
    await host.files.write(`${store}/.leases/run-4.json`, "{ damaged");
    await host.files.makeDirectory("/run/nspawn-runner/run-5");
    await host.files.write("/run/nspawn-runner/held-6.log", "");
    await host.files.makeDirectory("/run/systemd/nspawn/unix-export/run-7");
    const orphans = await findOrphans(host, store, FACTS);
    assert.deepEqual(orphans.map(({ machine, traces }) => [machine, traces.join()]), [
      ["held-6", "files below /run"],
      ["run-3", "its writes,its disk"],
      ["run-4", "an unreadable record"],
      ["run-5", "files below /run"],
      ["run-7", "a mount of nspawn's"],
      ["run-8", "a cgroup"],
    ]);
    assert.deepEqual(orphans.at(-1)!.cgroups, ["/sys/fs/cgroup/nspawn-runner-run-8"]);
    assert.ok(orphans.every(({ hasUnit }) => !hasUnit));
  }),
);

Deno.test(
  "findOrphans() leaves out machines with a lease, also of another store, and names of others",
  onHost(async ({ host }, store, folder) => {
    const [own, other] = [store, `${folder}/other`].map((place, index) =>
      leaseOf(place, `${index + 1}`)
    );
    for (const lease of [own!, other!]) {
      await writeLease(host, lease);
      await host.files.makeDirectory(`${store}/.machines/${lease.machine}`);
    }
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.symlink(
      `${folder}/other/.leases/run-2.json`,
      "/run/nspawn-runner/run-2.lease",
    );
    for (const name of ["debian", ".taking", "run-x!", "doctor-7"]) {
      await host.files.makeDirectory(`${store}/.machines/${name}`);
    }
    const real = (path: string) => host.files.real(path.startsWith("/run/") ? folder + path : path);
    const files = { ...host.files, real };
    const orphans = await findOrphans({ ...host, files }, store, FACTS);
    assert.deepEqual(orphans.map(({ machine }) => machine), ["run-8"]);
  }),
);

const ORPHAN: Orphan = {
  machine: machineName("3", undefined),
  traces: ["its writes"],
  hasUnit: false,
  cgroups: [],
  hasUnreadableLease: false,
};

Deno.test(
  "removeOrphan() removes all traces of its machine, and nothing of another one",
  onHost(async ({ host }, store) => {
    const paths = (id: number) => [`${store}/.machines/run-${id}`, `/run/nspawn-runner/run-${id}`];
    for (const path of [...paths(3), ...paths(33)]) await host.files.makeDirectory(path);
    await host.files.makeDirectory(`${store}/.leases`);
    await host.files.write(`${store}/.leases/run-3.json`, "{ damaged");
    await host.files.write("/run/nspawn-runner/run-3.log", "");
    await removeOrphan(host, store, FACTS, { ...ORPHAN, hasUnreadableLease: true });
    for (const path of paths(3)) assert.equal(await host.files.lstat(path), null, path);
    for (const path of paths(33)) assert.notEqual(await host.files.lstat(path), null, path);
    assert.deepEqual(await host.files.list(`${store}/.leases`), []);
    assert.deepEqual(await host.files.list("/run/nspawn-runner"), ["run-33"]);
  }),
);

Deno.test(
  "removeOrphan() leaves a machine alone that has a lease by now",
  onHost(async ({ host, commands }, store) => {
    await writeLease(host, leaseOf(store, "3"));
    await host.files.makeDirectory(`${store}/.machines/run-3`);
    await removeOrphan(host, store, FACTS, { ...ORPHAN, hasUnit: true, cgroups: ["/cg"] });
    assert.notEqual(await host.files.lstat(`${store}/.machines/run-3`), null);
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-3.json"]);
    assert.deepEqual(commands(), []);
  }),
);

Deno.test(
  "removeOrphan() follows no link out of the machine's folder",
  onHost(async ({ host }, store, folder) => {
    await Deno.mkdir(`${folder}/precious`);
    await Deno.writeTextFile(`${folder}/precious/file`, "x");
    await host.files.makeDirectory(`${store}/.machines/run-3`);
    await Deno.symlink(`${folder}/precious`, `${store}/.machines/run-3/upper`);
    await removeOrphan(host, store, FACTS, ORPHAN);
    assert.equal(await host.files.lstat(`${store}/.machines/run-3`), null);
    assert.equal(await Deno.readTextFile(`${folder}/precious/file`), "x");
  }),
);
