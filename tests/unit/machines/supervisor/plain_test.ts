/** What nspawn and its machines leave in the host's file system. */

import assert from "node:assert/strict";
import { findLease, writeLease } from "../../../../src/machines/record/lease.ts";
import { machineName } from "../../../../src/machines/record/name.ts";
import { isPlainMachineReady } from "../../../../src/machines/supervisor/plain.ts";
import { sweepExport } from "../../../../src/linux/nspawn_leftovers.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf, specOf } from "../fixture.ts";
import { standaloneHost } from "./standalone_host.ts";

const MACHINE = machineName("42", "ba7816bf");

function exportHost(isThere: boolean) {
  const recording = recordingHost({ answer: () => ({ code: 32 }) });
  const removed: string[] = [];
  const files = {
    ...recording.host.files,
    lstat: () => isThere ? recording.host.files.lstat("/") : Promise.resolve(null),
    remove: (path: string) => Promise.resolve(void removed.push(path)),
  };
  return { ...recording, host: { ...recording.host, files }, removed };
}

Deno.test("sweepExport() unmounts what a killed nspawn left, and removes it also where nothing is mounted", async () => {
  const { host, commands, removed } = exportHost(true);
  await sweepExport(host, "run-42");
  const path = "/run/systemd/nspawn/unix-export/run-42";
  assert.deepEqual(commands(), [`umount --quiet ${path}`]);
  assert.deepEqual(removed, [path]);
});

Deno.test("sweepExport() costs no process where there is nothing", async () => {
  const { host, commands, removed } = exportHost(false);
  await sweepExport(host, "run-42");
  assert.deepEqual([commands(), removed], [[], []]);
});

Deno.test("isPlainReady() waits for the machine's own word", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost();
    const result = `${folder}/result`;
    const spec = specOf({ paths: { ...specOf().paths, result } });
    assert.ok(!await isPlainMachineReady(host, spec));
    await Deno.writeTextFile(result, "");
    assert.ok(!await isPlainMachineReady(host, spec));
    await Deno.writeTextFile(result, "ready\n");
    assert.ok(await isPlainMachineReady(host, spec));
  });
});

Deno.test("findLease() believes no link that leads to another machine's lease", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const store = `${folder}/store`;
    const other = leaseOf(store, "7");
    await writeLease(host, other);
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.symlink(`${store}/.leases/run-7.json`, `/run/nspawn-runner/${MACHINE}.lease`);
    assert.equal(await findLease(host, MACHINE, () => Promise.resolve(store)), null);
    const own = { ...leaseOf(store, "42"), machine: MACHINE };
    await writeLease(host, own);
    assert.deepEqual(await findLease(host, MACHINE, () => Promise.resolve(store)), own);
  });
});
