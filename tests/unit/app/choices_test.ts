import assert from "node:assert/strict";
import type { Invocation } from "../../../src/app/command.ts";
import { chooseImage, chooseMachine } from "../../../src/app/choices.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Job } from "../../../src/gitlab/job.ts";
import { Failure } from "../../../src/failure.ts";
import { JOB as PLAIN_JOB } from "../gitlab/fixture.ts";
import { recordingHost } from "../recording_host.ts";

function invocation(options: Record<string, string> = {}, image?: string): Invocation {
  const positionals = image === undefined ? {} : { image };
  return { positionals, allPositionals: [], options, lists: {}, switches: new Set(), rest: [] };
}

const JOB: Job = { ...PLAIN_JOB, image: "job" };
const config = await loadConfig(recordingHost().host, "/dev/null");

Deno.test("chooseImage() prefers the argument to the job, the job to --default-image, and that to the configuration", () => {
  const withDefault = { ...config, default_image: "config" };
  const options = { "default-image": "option" };
  const choose = (
    image?: string,
    job: Job | null = JOB,
    given = options as Record<string, string>,
  ) => chooseImage(invocation(given, image), job, withDefault);
  assert.equal(choose("argument"), "argument");
  assert.equal(choose(), "job");
  assert.equal(choose(undefined, null), "option");
  assert.equal(choose(undefined, null, {}), "config");
  assert.throws(() => chooseImage(invocation(), null, config), Failure);
});

Deno.test("chooseMachine() takes --id before the job's, and tells servers apart under GitLab", async () => {
  assert.deepEqual(await chooseMachine(invocation({ id: "5" }), null), {
    id: "5",
    name: "run-5",
    server: undefined,
  });
  const { id, name } = await chooseMachine(invocation(), JOB);
  assert.equal(id, "7");
  assert.match(name, /^run-7-[0-9a-f]{8}$/);
  const other = await chooseMachine(invocation(), { ...JOB, server: "https://other.example" });
  assert.notEqual(other.name, name);
  assert.match((await chooseMachine(invocation({ id: "5" }), JOB)).name, /^run-5-/);
});

Deno.test("chooseMachine() refuses no id and a bad one as wrong usage", async () => {
  for (const options of [{}, { id: "../x" }]) {
    await assert.rejects(chooseMachine(invocation(options), null), { kind: "usage" });
  }
});
