/** explain of jobs that run, are kept, and are over, on a host without systemd. */

import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { appendRecord } from "../../../src/history/append.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { heldName } from "../../../src/machines/record/name.ts";
import { jobLease, recordOf } from "../history/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { LEADER, MACHINE, scene } from "./fixture.ts";

Deno.test("explain finds a job by its id and by that of its machine, while it runs and afterwards", () =>
  inFolder(async (folder) => {
    const { host, store, out } = await scene(folder);
    const own = { machine: MACHINE, boot: "boot-1", supervisor: "standalone" } as const;
    const lease = jobLease(store, { ...own, leader: LEADER });
    await writeLease(host, lease);
    await host.files.makeDirectory("/run/nspawn-runner");
    await host.files.lock(`/run/nspawn-runner/${MACHINE}.stage`, "1893456000000 build_script")
      .then((lock) => lock!.release());
    assert.equal(await main(["explain", "42"], host), 0);
    assert.match(out(), /^build_script +\d+ ms$/m);
    assert.match(out(), /^It runs$/m);
    await host.files.remove(`${store}/.leases/${MACHINE}.json`);
    const kept = "2030-01-01T01:00:00.000Z";
    await appendRecord(host, store, recordOf({ machine: MACHINE, outcome: "failed", kept }));
    assert.equal(await main(["explain", MACHINE.slice("run-".length)], host), 0);
    assert.match(out(), /^It failed$/m);
    assert.ok(!out().includes("are kept"));
    await writeLease(host, { ...lease, machine: heldName(MACHINE), held: kept });
    assert.equal(await main(["explain", "42"], host), 0);
    assert.match(out(), /^Its files are kept until 2030-01-01T01:00:00\.000Z: /m);
  }));

Deno.test("explain prints the record as JSON, and knows no job that was never here", () =>
  inFolder(async (folder) => {
    const { host, store, out, err } = await scene(folder);
    await appendRecord(host, store, recordOf());
    await appendRecord(host, store, recordOf({ machine: "run-42-other", created: "2029" }));
    assert.equal(await main(["explain", "--json", "42"], host), 0);
    assert.deepEqual(JSON.parse(out()), { ...recordOf(), state: null });
    assert.equal(await main(["explain", "43"], host), 11);
    assert.match(err(), /^nspawn-runner: Cannot explain job "43": it is not recorded$/m);
  }));
