import assert from "node:assert/strict";
import { recordFailure } from "../../../src/app/record_failure.ts";
import { machineName } from "../../../src/machines/record/name.ts";
import { recordingHost } from "../recording_host.ts";

Deno.test("recordFailure() fails for no reason: the failure that it records counts more", async () => {
  const { host, err } = recordingHost();
  host.log.verbosity = "verbose";
  const list = () => Promise.reject(new Error("Input/output error"));
  const broken = { ...host, files: { ...host.files, list } };
  const machine = { id: "42", name: machineName("42", undefined), server: undefined };
  const failed = { machine, job: null, image: null, error: new Error("x"), isCancelled: false };
  const notes = { all: () => [], areKept: () => Promise.resolve(false) };
  await recordFailure(broken, "/store", failed, notes);
  assert.equal(err(), "Cannot record the failure: Input/output error\n");
});
