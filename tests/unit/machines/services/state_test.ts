import assert from "node:assert/strict";
import {
  parseServiceState,
  readServiceState,
  type ServiceState,
} from "../../../../src/machines/services/state.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const WAITS: ServiceState = { failure: null, hasStarted: false, isHealthy: false, code: null };
const RUNS: ServiceState = { ...WAITS, hasStarted: true };

/** What the machine of a service has written, and what counts of it. */
const REPORTS: readonly (readonly [string, ServiceState])[] = [
  ["", WAITS],
  ["begun\nready\n", WAITS],
  ["begun\nready\nstarted\n", RUNS],
  ["ready\nstarted\nhealthy\n", { ...RUNS, isHealthy: true }],
  ["ready\nstarted\nexited 3\n", { ...RUNS, code: 3 }],
  ["started\nhealthy\nexited 137\n", { ...RUNS, isHealthy: true, code: 137 }],
  [
    "ready\ncannot start it has no program x y\n",
    { ...WAITS, failure: "it has no program x y" },
  ],
  // A service can forge its report, but no line of it means anything else.
  ["started\nexited\nexited 3 4\nexited -1\nexited 1000\nexited \n", RUNS],
  ["started\nexited 3\nexited no\n", RUNS],
  [" started\nstarted \nunhealthy\nhealthy now\nwe exited 3\n", WAITS],
  ["cannot start\ncannot start \x1b[31mred\r\n", { ...WAITS, failure: "\ufffd[31mred\ufffd" }],
];

for (const [report, state] of REPORTS) {
  Deno.test(`parseServiceState() of ${JSON.stringify(report)}`, () => {
    assert.deepEqual(parseServiceState(report), state);
  });
}

Deno.test("readServiceState() reads the end of a report, however long it is, and none that is missing", () =>
  inFolder(async (folder) => {
    const { host } = recordingHost();
    const result = `${folder}/result`;
    assert.deepEqual(await readServiceState(host, { result }), WAITS);
    await Deno.writeTextFile(result, `${"x".repeat(10_000_000)}\nexited 4\n`);
    assert.deepEqual(await readServiceState(host, { result }), { ...WAITS, code: 4 });
  }));
