/** Leftovers of machines without a lease: what counts as one, and what is removed of it. */

import assert from "node:assert/strict";
import { CGROUP_STATES_SCRIPT, type CgroupState } from "../../../../src/linux/cgroups.ts";
import type { KernelFacts } from "../../../../src/linux/proc.ts";
import { findOrphans, moveOrphanAside, type Orphan } from "../../../../src/machines/end/orphans.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { RUNTIME_FOLDER } from "../../../../src/runtime_folder.ts";
import { inFolder, type Recording } from "../../recording_host.ts";
import { statOf } from "../fake_kernel.ts";
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

/** A host whose systemd lists the unit of machine run-7 once, and then no more. */
async function hostWithEndingUnit(folder: string) {
  const unit = "nspawn-runner-run-7.service loaded active running CI machine run-7\n";
  let lists = 0;
  const { host } = standaloneHost(
    folder,
    ([, verb]) => verb === "list-units" && lists++ === 0 ? { stdout: unit } : undefined,
  );
  await host.files.makeDirectory("/run/systemd/system");
  return { host, lists: () => lists };
}

Deno.test("findOrphans() waits for the unit of a machine that cleanup has just killed", async () => {
  await inFolder(async (folder) => {
    const { host, lists } = await hostWithEndingUnit(folder);
    const began = host.clock.now();
    assert.deepEqual(await findOrphans(host, `${folder}/store`, FACTS), []);
    assert.ok(host.clock.now() - began >= 1_000);
    assert.equal(lists(), 2);
  });
});

Deno.test("findOrphans() waits for a unit also where its machine left other traces", async () => {
  await inFolder(async (folder) => {
    const { host } = await hostWithEndingUnit(folder);
    await host.files.makeDirectory(`${folder}/store/.machines/run-7`);
    const [orphan] = await findOrphans(host, `${folder}/store`, FACTS);
    assert.deepEqual([orphan?.traces, orphan?.hasUnit], [["its writes"], false]);
  });
});

/** A host with one cgroup of machine run-8, one of a service, and none else. */
function orphanHost(folder: string, state: CgroupState = "empty", stat = ""): Recording {
  return standaloneHost(folder, ([program, , script]) => {
    if (program === "cat") return { stdout: stat };
    if (script === CGROUP_STATES_SCRIPT) return { stdout: `${state}\n` };
    if (program !== "find") return;
    const paths = ["nspawn-runner-run-8", "nspawn-runner-run-1.service"];
    return { stdout: paths.map((path) => `/sys/fs/cgroup/${path}\0`).join("") };
  });
}

function onHost(act: (recording: Recording, store: string, folder: string) => Promise<void>) {
  return () => inFolder((folder) => act(orphanHost(folder), `${folder}/store`, folder));
}

Deno.test(
  "findOrphans() finds each trace of a machine without a lease, and no mount that may be anybody's",
  onHost(async ({ host }, store) => {
    await host.files.makeDirectory(`${store}/.machines/run-3`);
    await host.files.makeDirectory(`${store}/.disks`);
    await host.files.write(`${store}/.disks/run-3`, "");
    await host.files.makeDirectory(`${store}/.leases`);
    await host.files.write(`${store}/.leases/run-4.json`, "{ damaged");
    await host.files.makeDirectory("/run/nspawn-runner/run-5");
    await host.files.write("/run/nspawn-runner/held-6.log", "");
    await host.files.makeDirectory("/run/systemd/nspawn/unix-export/run-7");
    await host.files.makeDirectory(`${store}/.machines/service-9-1`);
    const orphans = await findOrphans(host, store, FACTS);
    assert.deepEqual(orphans.map(({ machine, traces }) => [machine, traces.join()]), [
      ["held-6", "files below /run"],
      ["run-3", "its writes,its disk"],
      ["run-4", "an unreadable record"],
      ["run-5", "files below /run"],
      ["run-8", "a cgroup"],
      ["service-9-1", "its writes"],
    ]);
    assert.deepEqual(orphans.at(-2)!.cgroups, ["/sys/fs/cgroup/nspawn-runner-run-8"]);
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

Deno.test(
  "findOrphans() finds no machine in any file of one that has a lease, such as the lock of its stage",
  onHost(async ({ host }, store) => {
    const lease = leaseOf(store, "1");
    await writeLease(host, lease);
    const { stage, ...paths } = machinePaths(store, lease.machine);
    await host.files.makeDirectory(stage);
    const files = Object.values(paths).filter((path) => path.startsWith(`${RUNTIME_FOLDER}/`));
    assert.ok(files.includes(paths.stageLock));
    for (const path of files) await host.files.write(path, "");
    const orphans = await findOrphans(host, store, FACTS);
    assert.deepEqual(orphans.map(({ machine }) => machine), ["run-8"]);
  }),
);

Deno.test("findOrphans() finds cgroups and units of machines of services", async () => {
  await inFolder(async (folder) => {
    const { host, commands } = orphanHost(folder);
    await findOrphans(host, `${folder}/store`, FACTS);
    assert.match(commands().join("\n"), /^find .* nspawn-runner-service-\* /m);
    await host.files.makeDirectory("/run/systemd/system");
    await findOrphans(host, `${folder}/store`, FACTS);
    assert.match(commands().join("\n"), /^systemctl .* nspawn-runner-service-\*\.service$/m);
  });
});

const ORPHAN: Orphan = {
  machine: machineName("3", undefined),
  traces: ["its writes"],
  hasUnit: false,
  cgroups: [],
  hasUnreadableLease: false,
};

Deno.test(
  "moveOrphanAside() removes all traces of its machine, and nothing of another one",
  onHost(async ({ host }, store) => {
    const paths = (id: number) => [`${store}/.machines/run-${id}`, `/run/nspawn-runner/run-${id}`];
    for (const path of [...paths(3), ...paths(33)]) await host.files.makeDirectory(path);
    await host.files.makeDirectory(`${store}/.leases`);
    await host.files.write(`${store}/.leases/run-3.json`, "{ damaged");
    await host.files.write("/run/nspawn-runner/run-3.log", "");
    await moveOrphanAside(host, store, { ...ORPHAN, hasUnreadableLease: true });
    for (const path of paths(3)) assert.equal(await host.files.lstat(path), null, path);
    for (const path of paths(33)) assert.notEqual(await host.files.lstat(path), null, path);
    assert.deepEqual(await host.files.list(`${store}/.leases`), []);
    assert.deepEqual(await host.files.list("/run/nspawn-runner"), ["run-33"]);
  }),
);

Deno.test(
  "moveOrphanAside() leaves a machine alone that has a lease by now",
  onHost(async ({ host, commands }, store) => {
    await writeLease(host, leaseOf(store, "3"));
    await host.files.makeDirectory(`${store}/.machines/run-3`);
    await moveOrphanAside(host, store, { ...ORPHAN, hasUnit: true, cgroups: ["/cg"] });
    assert.notEqual(await host.files.lstat(`${store}/.machines/run-3`), null);
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-3.json"]);
    assert.deepEqual(commands(), []);
  }),
);

Deno.test(
  "moveOrphanAside() follows no link out of the machine's folder",
  onHost(async ({ host }, store, folder) => {
    await Deno.mkdir(`${folder}/precious`);
    await Deno.writeTextFile(`${folder}/precious/file`, "x");
    await host.files.makeDirectory(`${store}/.machines/run-3`);
    await Deno.symlink(`${folder}/precious`, `${store}/.machines/run-3/upper`);
    await moveOrphanAside(host, store, ORPHAN);
    assert.equal(await host.files.lstat(`${store}/.machines/run-3`), null);
    assert.equal(await Deno.readTextFile(`${folder}/precious/file`), "x");
  }),
);

Deno.test("findOrphans() leaves a machine alone whose lease it cannot read, while the machine lives", async () => {
  const next = { ...leaseOf("/store", "8", { boot: FACTS.boot }), version: 2 };
  const leader = { pid: 77, start: 9 };
  const held = new Date(Date.UTC(2031, 0, 1)).toISOString();
  const cases: readonly (readonly [unknown, CgroupState, string, boolean])[] = [
    [next, "populated", "", false],
    ["{ damaged", "populated", "", false],
    [{ ...next, leader }, "empty", statOf(77, 9), false],
    [{ ...next, preparer: leader }, "empty", statOf(77, 9), false],
    [{ ...next, leader }, "empty", statOf(77, 10), true],
    [{ ...next, leader, boot: "before" }, "empty", statOf(77, 9), true],
    [{ ...next, leader, boot: "before", host: "this" }, "empty", statOf(77, 9), true],
    [{ ...next, leader, boot: "before", host: "another" }, "empty", "", false],
    [{ ...next, held }, "empty", "", false],
    [{ ...next, held: "2020-01-01T00:00:00.000Z" }, "empty", "", true],
    [next, "empty", "", true],
    ["{ damaged", "empty", "", true],
    [null, "populated", "", true],
    [null, "foreign", "", false],
  ];
  for (const [lease, state, stat, expected] of cases) {
    await inFolder(async (folder) => {
      const { host } = orphanHost(folder, state, stat);
      const store = `${folder}/store`;
      const { read } = host.files;
      host.files.read = (path) => path === "/etc/machine-id" ? Promise.resolve("this") : read(path);
      await host.files.makeDirectory(`${store}/.leases`);
      const text = typeof lease === "string" ? lease : JSON.stringify(lease);
      if (lease !== null) await host.files.write(`${store}/.leases/run-8.json`, text);
      const orphans = await findOrphans(host, store, FACTS);
      assert.deepEqual(
        orphans.map(({ machine }) => machine),
        expected ? ["run-8"] : [],
        text + state,
      );
    });
  }
});
