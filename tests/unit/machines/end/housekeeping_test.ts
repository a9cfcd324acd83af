/** Housekeeping before a start. */

import assert from "node:assert/strict";
import type { Host } from "../../../../src/host/host.ts";
import { removeLeftovers } from "../../../../src/machines/end/housekeeping.ts";
import { writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { inFolder } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const STATE = { boot: "boot-1", uptime: null, runner: null, supervisor: "standalone" } as const;
const OWN = machineName("42", undefined);
const quiet = new AbortController().signal;

/** Three machines of an earlier boot, the first of them our own, and housekeeping among them. */
async function removeLeftoversIn(folder: string, interrupt: AbortSignal, slow = 0) {
  const { host, err } = standaloneHost(folder, () => {});
  host.log.verbosity = "verbose";
  const store = `${folder}/store`;
  for (const id of ["42", "43", "44"]) {
    await writeLease(host, leaseOf(store, id, { supervisor: "standalone" }));
  }
  const remove: Host["files"]["remove"] = async (path) => {
    await host.clock.sleep(slow);
    await host.files.remove(path);
  };
  const files = { ...host.files, remove };
  await removeLeftovers({ ...host, files }, store, STATE, OWN, interrupt);
  return { left: await host.files.list(`${store}/.leases`), err };
}

Deno.test("removeLeftovers() ends overdue machines with their reason, and leaves the caller's own alone", () =>
  inFolder(async (folder) => {
    const { left, err } = await removeLeftoversIn(folder, quiet);
    assert.deepEqual(left, ["run-42.json"]);
    assert.match(err(), /^Ending machine run-43: the host was rebooted$/m);
  }));

Deno.test("removeLeftovers() ends no further machine when its time is over, or it is interrupted", () =>
  inFolder(async (folder) => {
    const { left } = await removeLeftoversIn(folder, quiet, 20_000);
    assert.deepEqual(left, ["run-42.json", "run-44.json"]);
    const interrupted = await removeLeftoversIn(folder, AbortSignal.abort());
    assert.equal(interrupted.left.length, 3);
  }));

Deno.test("removeLeftovers() evicts no machine that another host keeps in the store", () =>
  inFolder(async (folder) => {
    const stdout = "Avail Size IFree Inodes\n1 1000 1000 1000\n";
    const { host } = standaloneHost(folder, ([program]) => program === "df" ? { stdout } : {});
    const { read } = host.files;
    host.files.read = (path) => path === "/etc/machine-id" ? Promise.resolve("this") : read(path);
    const store = `${folder}/store`;
    const held = { held: "2040-01-01T00:00:00.000Z", boot: "boot-1" };
    await writeLease(host, leaseOf(store, "43", { ...held, host: "another" }));
    await writeLease(host, leaseOf(store, "44", { ...held, host: "this" }));
    await removeLeftovers(host, store, STATE, OWN, quiet);
    assert.deepEqual(await host.files.list(`${store}/.leases`), ["run-43.json"]);
  }));
