/** history, and the records that the stages of a job write, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { appendRecord } from "../../../src/history/append.ts";
import { readHistory } from "../../../src/history/read.ts";
import type { JobRecord } from "../../../src/history/record.ts";
import type { Host } from "../../../src/host/host.ts";
import { recordOf } from "../history/fixture.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { MACHINE, scene, SECRET } from "./fixture.ts";

async function only(host: Host, store: string): Promise<JobRecord> {
  const { records, broken } = await readHistory(host, store);
  assert.deepEqual([records.length, broken], [1, 0]);
  return records[0]!;
}

/** What there is below /run, but for what the program keeps of this boot. */
async function leftInRun(host: Host): Promise<string[]> {
  return (await host.files.list("/run/nspawn-runner")).filter((name) => !name.startsWith("."));
}

Deno.test("a job has one record, with its calls, its project and its failed script", () =>
  inFolder(async (folder) => {
    const { host, store, err } = await scene(folder, (nonce) => `${nonce} started\n${nonce} 3\n`);
    const path = `${folder}/response.json`;
    const response = JSON.parse(await Deno.readTextFile(path));
    const more = {
      job_info: { project_full_path: "group/project" },
      git_info: { ref: "refs/merge-requests/7/head", ref_type: "branch", protected: false },
    };
    await Deno.writeTextFile(path, JSON.stringify({ ...response, ...more }));
    await Deno.writeTextFile(`${folder}/script`, `echo ${SECRET}\n`);
    assert.equal(await main(["prepare"], host), 0, err());
    assert.equal(await main(["run", `${folder}/script`, "build_script"], host), 11);
    assert.equal(await main(["cleanup"], host), 0, err());
    const record = await only(host, store);
    const { outcome, code, calls, project, ref, isProtected, image, tree, machine } = record;
    assert.deepEqual([outcome, code, machine], ["failed", 3, MACHINE]);
    assert.deepEqual([project, ref, isProtected], ["group/project", "merge request", false]);
    assert.deepEqual([image, tree], ["bookworm", "bookworm"]);
    assert.deepEqual(calls.map(({ call }) => call), ["prepare", "build_script", "cleanup"]);
    const parts = Object.keys(calls[0]!.parts!);
    assert.deepEqual(parts, ["image", "host", "queue", "reserve", "build", "start"]);
    assert.ok(!JSON.stringify(record).includes(SECRET));
    assert.deepEqual(await leftInRun(host), [], "no notes are left");
  }));

Deno.test("a job that config or prepare refuses has a record with the reason, and no secret", () =>
  inFolder(async (folder) => {
    for (
      const [stage, calls] of [["gitlab-config", ["config"]], ["prepare", ["prepare"]]] as const
    ) {
      const { host, store } = await scene(`${folder}/${stage}`);
      const path = `${folder}/${stage}/response.json`;
      const response = await Deno.readTextFile(path);
      const image = JSON.stringify(`reg/${"x".repeat(430)}${SECRET.repeat(9)}\n${SECRET}`);
      await Deno.writeTextFile(path, response.replace('"bookworm"', image));
      assert.equal(await main([stage], host), 11);
      const record = await only(host, store);
      assert.equal(record.outcome, "refused");
      assert.match(record.reason!, /^Cannot .*\[MASKED\]/);
      assert.match(record.image!, /^reg\/x+\[MASKED\]/);
      assert.ok(!JSON.stringify(record).includes(SECRET.slice(0, 5)), "no part of a secret");
      assert.deepEqual(record.calls.map(({ call }) => call), calls);
    }
  }));

Deno.test("a prepare that fails on the host has a record, and undoes the machine's own", () =>
  inFolder(async (folder) => {
    let cancel = () => {};
    const { host, store, send } = await scene(folder, undefined, () => queueMicrotask(cancel));
    cancel = () => send("SIGTERM");
    assert.equal(await main(["prepare"], host), 12);
    const { outcome, reason, calls } = await only(host, store);
    assert.equal(outcome, "cancelled");
    assert.match(reason!, /interrupted$/);
    assert.ok(calls[0]!.parts!.start !== undefined);
    assert.deepEqual(await leftInRun(host), []);
  }));

async function listed(store: string, ...words: string[]) {
  const config = `${store}/config.toml`;
  await Deno.writeTextFile(config, `store = "${store}"\n`);
  const recording = recordingHost({
    now: Date.UTC(2030, 0, 1, 12),
    terminals: words.includes("--terminal") ? ["stdout"] : [],
  });
  const code = await main(
    ["--config", config, "history", ...words.filter((word) => word !== "--terminal")],
    recording.host,
  );
  return { code, out: recording.out(), err: recording.err() };
}

Deno.test("history lists the jobs of a time, a project, or those that failed", () =>
  inFolder(async (store) => {
    const { host } = recordingHost();
    const refused = {
      ...{ job: "43", machine: "run-43", outcome: "refused", usage: null, calls: [] },
      ...{ tree: null, image: "a b", project: null },
    } as const;
    const old = { job: "41", machine: "run-41", ended: "2029-12-30T00:00:00.000Z" };
    const failed = { job: "44", machine: "run-44", outcome: "failed", code: 42 } as const;
    for (const changes of [{}, refused, old, { ...failed, project: "group/sub/other" }]) {
      await appendRecord(host, store, recordOf(changes));
    }
    const lines = (await listed(store)).out.trimEnd().split("\n");
    assert.deepEqual(lines, [
      "2030-01-01T00:01Z 42 group/project bookworm success 1min 900ms 5.0s 1.0GiB",
      "2030-01-01T00:01Z 43 - ab refused 1min - - -",
      "2030-01-01T00:01Z 44 group/sub/other bookworm failed:42 1min 900ms 5.0s 1.0GiB",
    ]);
    const jobs = async (...words: string[]) =>
      JSON.parse((await listed(store, "--json", ...words)).out).map(({ job }: JobRecord) => job);
    assert.deepEqual(await jobs("--since", "7d"), ["42", "43", "44", "41"]);
    assert.deepEqual(await jobs("--failed"), ["43", "44"]);
    assert.deepEqual(await jobs("--project", "group"), ["42", "44"]);
    assert.deepEqual(await jobs("--project", "group/pro"), []);
    assert.match((await listed(store, "--terminal")).out, /^ENDED +JOB +PROJECT /);
    const none = await listed(store, "--terminal", "--project", "other");
    assert.equal(none.err, "No such job ended in this time. A longer one: --since 30d\n");
    const wrong = await listed(store, "--since", "yesterday");
    assert.deepEqual([wrong.code, wrong.out], [2, ""]);
    await host.files.append(`${store}/.history/2030-01-01.jsonl`, "{");
    assert.match((await listed(store)).err, /^Lines of the history that cannot be read: 1$/m);
  }));
