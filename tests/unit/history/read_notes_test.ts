import assert from "node:assert/strict";
import { addNote, beginNotes, stagePurpose } from "../../../src/history/notes.ts";
import { readNotes } from "../../../src/history/read_notes.ts";
import { machineName } from "../../../src/machines/record/name.ts";
import { inFolder } from "../recording_host.ts";
import { standaloneHost } from "../machines/standalone_host.ts";

const MACHINE = machineName("42", undefined);

Deno.test("readNotes() returns the notes of a machine, without one that is incomplete", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    await host.files.makeDirectory("/run/nspawn-runner");
    assert.deepEqual(await readNotes(host, MACHINE), { notes: [], running: null });
    await beginNotes(host, MACHINE, [{ at: 1, note: "prepare" }]);
    await addNote(host, MACHINE, { at: 2, note: "prepared" });
    await host.files.append("/run/nspawn-runner/run-42.notes", '{"at":3,"no');
    const stage = { at: 4, stage: "build_script" };
    const lock = await host.files.lock("/run/nspawn-runner/run-42.stage", stagePurpose(stage));
    assert.deepEqual(await readNotes(host, MACHINE), {
      notes: [{ at: 1, note: "prepare" }, { at: 2, note: "prepared" }],
      running: stage,
    });
    await lock!.remove();
    const stat = await host.files.lstat("/run/nspawn-runner/run-42.notes");
    assert.equal(stat!.mode & 0o777, 0o600);
  }));

Deno.test("addNote() makes no notes for a machine that has none, as after its cleanup", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    await host.files.makeDirectory("/run/nspawn-runner");
    await addNote(host, MACHINE, { at: 2, note: "prepared" });
    assert.deepEqual(await host.files.list("/run/nspawn-runner"), []);
  }));
