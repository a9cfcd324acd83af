import assert from "node:assert/strict";
import { variablesOf } from "../../../../src/pipeline/job/variables.ts";
import { JOB, variablesFor } from "./fixture.ts";

Deno.test("variablesOf() expands twice: as GitLab and as GitLab Runner", () => {
  const { get, expand } = variablesFor({
    A: "$B $$5 $UNKNOWN|",
    B: "${CI_PROJECT_DIR}/x",
    F: "$CONF",
  }, [
    { key: "CONF", value: "$A", file: true },
    { key: "RAW", value: "$A", raw: true },
  ]);
  assert.equal(get("A"), "/builds/group/project/x $5 |");
  assert.equal(get("F"), "/builds/group/project.tmp/CONF");
  assert.equal(get("RAW"), "$A");
  assert.equal(expand("<$RAW-$CI_JOB_ID-$$>"), "<$A-7-$>");
});

Deno.test("variablesOf() lets given variables replace those of the file, and these GitLab's", () => {
  const { get, all } = variablesFor({ CI_JOB_STAGE: "mine", X: "file", "no-name": "x" }, [
    { key: "X", value: "given" },
    { key: "X", value: "last" },
    { key: "GITLAB_ENV", value: "mine" },
  ]);
  assert.deepEqual(["CI_JOB_STAGE", "X"].map(get), ["mine", "last"]);
  assert.equal(get("GITLAB_ENV"), "/builds/group/project.tmp/gitlab_runner_env");
  assert.equal(all.filter(({ key }) => key === "X").length, 1);
  assert.ok(!all.some(({ key }) => key === "no-name"));
});

Deno.test("variablesOf() tells what GitLab tells of a job", () => {
  const { get } = variablesOf({
    id: 7,
    job: {
      ...JOB,
      image: { name: "alpine:$V" },
      variables: { V: "3" },
      node: { index: 2, total: 5 },
      environment: { name: "review/$V", url: "https://x.invalid/$V" },
      when: "manual",
    },
    pipeline: { CI_PROJECT_PATH: "group/project" },
    ...{ given: [], began: 0, buildsDir: "/builds" },
  });
  const expected = {
    CI_JOB_NAME: "build: [x, ü]",
    CI_JOB_NAME_SLUG: "build---x",
    CI_JOB_IMAGE: "alpine:3",
    CI_JOB_MANUAL: "true",
    CI_NODE_INDEX: "2",
    CI_NODE_TOTAL: "5",
    CI_ENVIRONMENT_NAME: "review/3",
    CI_ENVIRONMENT_URL: "https://x.invalid/3",
    CI_JOB_STARTED_AT: "1970-01-01T00:00:00Z",
    CI_JOB_TIMEOUT: "3600",
  };
  for (const [key, value] of Object.entries(expected)) assert.equal(get(key), value, key);
});
