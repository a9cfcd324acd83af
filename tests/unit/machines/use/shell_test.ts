import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { machinePaths } from "../../../../src/machines/record/paths.ts";
import { findMachine, openShell } from "../../../../src/machines/use/shell.ts";
import { inFolder } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf, serviceLeaseOf } from "../fixture.ts";
import { INIT, LEADER } from "../plain_machine.ts";
import { standaloneHost } from "../standalone_host.ts";

const HELD = { held: "2030-01-02T00:00:00.000Z" };

/** Finds a machine among job 7 of two servers, job 8, which ran twice and failed once, and a machine by hand with a service. */
async function find(id: string, held: boolean): Promise<string> {
  let found = "";
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const leases = [
      leaseOf(folder, "7", { machine: machineName("7", "aaaaaaaa") }),
      leaseOf(folder, "7", { machine: machineName("7", "bbbbbbbb") }),
      leaseOf(folder, "8", { machine: machineName("8", "aaaaaaaa") }),
      leaseOf(folder, "8", {
        machine: "held-8-aaaaaaaa" as ReturnType<typeof machineName>,
        ...HELD,
      }),
      leaseOf(folder, "9"),
      serviceLeaseOf(folder, "9", ["g__postgres", "g-postgres", "db"]),
      serviceLeaseOf(folder, "9", ["odd/name"], {}, 2),
    ];
    for (const lease of leases) await writeLease(host, lease);
    found = (await findMachine(host, folder, id, held)).machine;
  });
  return found;
}

Deno.test("findMachine() takes an id of list or a job's id, and prefers machines that run", async () => {
  assert.equal(await find("7-bbbbbbbb", false), "run-7-bbbbbbbb");
  assert.equal(await find("8", false), "run-8-aaaaaaaa");
  assert.equal(await find("8", true), "held-8-aaaaaaaa");
  assert.equal(await find("9", false), "run-9");
});

Deno.test("findMachine() takes each alias of a service behind the id of its job", async () => {
  for (const alias of ["g__postgres", "g-postgres", "db"]) {
    assert.equal(await find(`9/${alias}`, false), "service-9-1");
  }
  assert.equal(await find("9/odd/name", false), "service-9-2");
  await assert.rejects(find("9/none", false), { hint: / 9, 9\/db, 9\/odd\/name$/ });
  await assert.rejects(find("8-aaaaaaaa/db", false), { kind: "refused" });
});

Deno.test("openShell() of a held machine shows what it shared, and needs no shell of its image", () =>
  inFolder(async (folder) => {
    const { host, processes } = standaloneHost(folder, () => {});
    const lease = leaseOf(folder, "1", { ...HELD, helper: "/helper" });
    await writeLease(host, lease);
    const { shared } = machinePaths(folder, lease.machine);
    await host.files.makeDirectory(`${shared}/builds`);
    await openShell(host, lease, { lower: treeAsLower("/tree"), helper: "/helper" });
    const argv = processes.at(-1)!.argv;
    assert.ok(argv.includes(`--bind=${shared}/builds:/builds`));
    assert.ok(argv.includes("--bind-ro=/helper/usr/bin/busybox:/run/nspawn-runner/busybox"));
    const command = argv.slice(argv.indexOf("--as-pid2") + 2);
    assert.deepEqual(command.slice(0, 3), ["/run/nspawn-runner/busybox", "sh", "-c"]);
  }));

Deno.test("findMachine() refuses an unknown id and one of several servers, with the ids that there are", async () => {
  await assert.rejects(find("7", false), {
    kind: "refused",
    message: /several servers/,
    hint: "Machines: 7-aaaaaaaa, 7-bbbbbbbb",
  });
  await assert.rejects(find("10", false), { kind: "refused", hint: /^Machines: / });
  await assert.rejects(find("9", true), { kind: "refused", message: /are not kept$/ });
});

Deno.test("openShell() refuses a machine that has ended, or was removed meanwhile", () =>
  inFolder(async (folder) => {
    const { host, commands } = standaloneHost(
      folder,
      (argv) => answerCat(argv, { ...HOST_FILES, ...processFiles(INIT) }),
    );
    const leader = { ...LEADER, start: 8 };
    const ended = leaseOf(folder, "1", { boot: "boot-1", supervisor: "standalone", leader });
    await assert.rejects(openShell(host, ended, { lower: treeAsLower("/tree"), helper: null }), {
      kind: "refused",
      message: /has ended$/,
    });
    const removed = leaseOf(folder, "1", HELD);
    await assert.rejects(openShell(host, removed, { lower: treeAsLower("/tree"), helper: null }), {
      message: /was removed just now$/,
    });
    assert.ok(commands().every((line) => line.startsWith("cat ")), "nothing was started");
  }));
