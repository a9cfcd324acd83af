import assert from "node:assert/strict";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { heldName, machineName, serviceName } from "../../../../src/machines/record/name.ts";
import { listMachines } from "../../../../src/machines/report/list.ts";
import { inFolder } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf, serviceLeaseOf } from "../fixture.ts";
import { INIT, LEADER } from "../plain_machine.ts";
import { standaloneHost } from "../standalone_host.ts";

Deno.test("listMachines() tells preparing, running, ended and held machines apart", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(
      folder,
      (argv) =>
        argv[0] === "grep"
          ? { stdout: "/cg/memory.current:1048576\n/cg/pids.current:7\n/other/cpu.stat:x 1\n" }
          : answerCat(argv, { ...HOST_FILES, ...processFiles(INIT) }),
    );
    const own = { boot: "boot-1", supervisor: "standalone", cgroups: ["/cg"] } as const;
    const until = "2030-02-01T00:00:00.000Z";
    const changes = [
      { preparer: { pid: 42, start: 5 } },
      { leader: LEADER },
      { leader: { ...LEADER, start: 8 } },
      { held: until },
    ];
    for (const [index, change] of changes.entries()) {
      await writeLease(host, leaseOf(folder, `${index + 1}`, { ...own, ...change }));
    }
    const entries = await listMachines(host, folder);
    assert.deepEqual(entries.map(({ id, state, memory, tasks }) => [id, state, memory, tasks]), [
      ["1", "preparing", null, null],
      ["2", "running", 1_048_576, 7],
      ["3", "ended", null, null],
      ["4", "held", null, null],
    ]);
    assert.deepEqual([entries[0]!.image, entries[0]!.age], ["bookworm", 0]);
    assert.equal(entries[0]!.deadline, "2030-01-02T00:00:00.000Z");
    assert.equal(entries[3]!.deadline, until, "until when its writes are kept");
  }));

Deno.test("listMachines() has services behind their job, and those without one at the end", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const held = { held: "2030-02-01T00:00:00.000Z" };
    const leases = [
      leaseOf(folder, "2"),
      leaseOf(folder, "1"),
      serviceLeaseOf(folder, "1", ["postgres", "db"]),
      serviceLeaseOf(folder, "1", ["redis"], {}, 2),
      serviceLeaseOf(folder, "3", ["web"]),
      leaseOf(folder, "1", { machine: heldName(machineName("1", undefined)), ...held }),
      serviceLeaseOf(folder, "1", ["old"], {
        machine: heldName(serviceName(machineName("1", undefined), 1)),
        ...held,
      }),
    ];
    for (const lease of leases) await writeLease(host, lease);
    const entries = await listMachines(host, folder);
    assert.deepEqual(entries.map(({ id, job, aliases, image }) => [id, job, aliases, image]), [
      ["1", "1", [], "bookworm"],
      ["1/old", "1", ["old"], "old:1"],
      ["1", "1", [], "bookworm"],
      ["1/db", "1", ["postgres", "db"], "postgres:1"],
      ["1/redis", "1", ["redis"], "redis:1"],
      ["2", "2", [], "bookworm"],
      ["3/web", "3", ["web"], "web:1"],
    ]);
  }));
