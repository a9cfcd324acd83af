/** metrics of a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { appendRecord } from "../../../src/history/append.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { jobLease, recordOf } from "../history/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { LEADER, MACHINE, scene } from "./fixture.ts";

Deno.test("metrics has counters of ended jobs and gauges of now, and --output replaces a file", () =>
  inFolder(async (folder) => {
    const { host, store, out } = await scene(folder);
    await appendRecord(host, store, recordOf({ ended: "2029-12-31T23:00:00.000Z" }));
    const own = { machine: MACHINE, boot: "boot-1", supervisor: "standalone" } as const;
    const network = { kind: "private", slot: 3 } as const;
    await writeLease(host, jobLease(store, { ...own, leader: LEADER, ids: 0x4000_0000, network }));
    assert.equal(await main(["gc"], host), 0);
    const before = out().length;
    assert.equal(await main(["metrics"], host), 0);
    const text = out().slice(before);
    for (
      const line of [
        'jobs_total{outcome="success"} 1',
        'jobs_total{outcome="failed"} 0',
        "job_cpu_seconds_total 5",
        "prepare_seconds_count 1",
        'machines{kind="job",state="running"} 1',
        'machines{kind="service",state="running"} 0',
        "id_ranges 4608",
        "id_ranges_used 1",
        "network_slots 8189",
        "network_slots_used 1",
        "store_reserve_bytes 268435456",
        "caches_bytes 0",
        'last_run_timestamp_seconds{command="gc"} 1893456000',
        'last_run_failed{command="gc"} 0',
      ]
    ) {
      assert.ok(text.includes(`\nnspawn_runner_${line}\n`), `${line}\n${text}`);
    }
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    assert.equal(new Set(names).size, names.length);
    const file = `${folder}/nspawn-runner.prom`;
    assert.equal(await main(["metrics", "--output", file], host), 0);
    assert.equal(await Deno.readTextFile(file), text);
    assert.equal((await Deno.stat(file)).mode! & 0o777, 0o644);
  }));
