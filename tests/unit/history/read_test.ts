import assert from "node:assert/strict";
import { appendRecord } from "../../../src/history/append.ts";
import { readHistory } from "../../../src/history/read.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { recordOf } from "./fixture.ts";

Deno.test("readHistory() returns the jobs that ended last first, as far back as is asked", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    const at = ["2030-01-01T10:00:00.000Z", "2030-01-01T23:59:59.999Z", "2030-01-03T00:00:00.000Z"];
    for (const [index, ended] of at.entries()) {
      await appendRecord(
        host,
        store,
        recordOf({ job: `${index}`, machine: `run-${index}`, ended }),
      );
    }
    const days = await host.files.list(`${store}/.history`);
    assert.deepEqual(days, ["2030-01-01.jsonl", "2030-01-03.jsonl"]);
    const { mode } = (await host.files.lstat(`${store}/.history`))!;
    assert.equal(mode & 0o777, 0o700);
    assert.equal((await host.files.lstat(`${store}/.history/${days[0]}`))!.mode & 0o777, 0o600);
    const jobs = async (query: Parameters<typeof readHistory>[2]) =>
      (await readHistory(host, store, query)).records.map(({ job }) => job);
    assert.deepEqual(await jobs({}), ["2", "1", "0"]);
    assert.deepEqual(await jobs({ since: Date.parse("2030-01-01T12:00:00Z") }), ["2", "1"]);
    assert.deepEqual(await jobs({ matches: ({ job }) => job !== "1" }), ["2", "0"]);
    assert.deepEqual((await readHistory(host, `${store}/none`)).records, []);
  }));

Deno.test("readHistory() skips and counts broken lines, also one that a record follows", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    const path = `${store}/.history/2030-01-01.jsonl`;
    await appendRecord(host, store, recordOf({ machine: "run-1" }));
    await host.files.append(path, '\n{"version":1,"job":"2","mach');
    await appendRecord(host, store, recordOf({ machine: "run-3" }));
    await host.files.append(path, '\n{"version":2,"job":"4"}\n\0\0\0\0');
    const { records, broken } = await readHistory(host, store);
    assert.deepEqual(records.map(({ machine }) => machine), ["run-1", "run-3"]);
    assert.equal(broken, 3);
  }));

Deno.test("readHistory() counts a line as broken that is JSON and lacks what readers need", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    await appendRecord(host, store, recordOf());
    const path = `${store}/.history/2030-01-01.jsonl`;
    const odd: readonly object[] = [
      ...[{ calls: [null] }, { calls: [{ call: "run", at: 1 }] }, { calls: "x" }],
      ...[{ services: [{}] }, { services: null }, { lines: null }, { limits: null }],
      ...[{ host: null }, { usage: 3 }, { ended: "then" }, { began: "" }, { job: 42 }],
    ];
    for (const changes of odd) {
      await host.files.append(path, `${JSON.stringify({ ...recordOf(), ...changes })}\n`);
    }
    for (const line of ["null", "[]", '"x"', "1"]) await host.files.append(path, `${line}\n`);
    const { records, broken } = await readHistory(host, store);
    assert.deepEqual([records.length, broken], [1, odd.length + 4]);
  }));

Deno.test("readHistory() returns a job once that was recorded again after its cleanup was killed", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    await appendRecord(host, store, recordOf());
    await appendRecord(host, store, recordOf({ outcome: "abandoned" }));
    await appendRecord(host, store, recordOf({ created: "2030-01-01T00:00:30.000Z" }));
    const { records } = await readHistory(host, store);
    assert.deepEqual(records.map(({ outcome }) => outcome), ["success", "success"]);
  }));
