import assert from "node:assert/strict";
import { describeServices } from "../../../src/history/describe_services.ts";
import { SERVICE_REPORTS } from "../../../src/machines/record/channel.ts";
import { writeLease } from "../../../src/machines/record/lease.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import { serviceLeaseOf } from "../machines/fixture.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { jobLease } from "./fixture.ts";

Deno.test("describeServices() has image, aliases and end of each service, and no secret of the job", () =>
  inFolder(async (store) => {
    const path = `${store}/response.json`;
    await Deno.writeTextFile(path, JSON.stringify({ token: "glcbt-secret" }));
    const { host } = recordingHost({ env: { JOB_RESPONSE_FILE: path } });
    const lease = serviceLeaseOf(store, "42", ["redis"]);
    await writeLease(host, lease);
    const { own, result } = machinePaths(store, lease.machine);
    await host.files.makeDirectory(own);
    const report = `${SERVICE_REPORTS.failed} --password=glcbt-secret: not found\n`;
    await host.files.write(result, report);
    const job = jobLease(store, { services: [{ machine: lease.machine, aliases: ["redis"] }] });
    assert.deepEqual(await describeServices(host, job), [{
      ...{ image: "redis:1", aliases: ["redis"], code: null },
      failure: "--password=[MASKED]: not found",
    }]);
  }));
