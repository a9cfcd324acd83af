import assert from "node:assert/strict";
import { appendRecord } from "../../../src/history/append.ts";
import { inFolder, recordingHost } from "../recording_host.ts";
import { recordOf } from "./fixture.ts";

Deno.test("appendRecord() that fails is no failure of the call that ends a machine", () =>
  inFolder(async (store) => {
    const { host, err } = recordingHost();
    host.log.verbosity = "verbose";
    await host.files.write(`${store}/.history`, "in the way of the folder");
    await appendRecord(host, store, recordOf());
    assert.match(err(), /^Cannot record job 42: /);
  }));
