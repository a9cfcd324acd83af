import assert from "node:assert/strict";
import type { Commit } from "../../../../src/pipeline/model.ts";
import { pipelineVariables, slugOf } from "../../../../src/pipeline/source/variables.ts";

const COMMIT: Commit = {
  sha: "0123456789abcdef0123456789abcdef01234567",
  branch: "Feature/Ä_1",
  tag: null,
  tagMessage: "",
  message: "title\n\nmore\nlines",
  author: "Ada <ada@example.org>",
  timestamp: "2026-01-02T03:04:05+00:00",
  defaultBranch: "main",
  remote: "https://gitlab.example.org:8443/group/sub/project.git",
  user: { name: "Ada", email: "ada@example.org", login: "ada" },
};
const FACTS = { id: 5, created: 0, configPath: "ci/pipeline.yml" };

function variables(commit: Partial<Commit>, workingCopy = "/home/ada/My Project") {
  return pipelineVariables({ commit: { ...COMMIT, ...commit }, workingCopy }, FACTS);
}

Deno.test("pipelineVariables() tells what the working copy tells", () => {
  const all = variables({});
  const expected = {
    CI_COMMIT_BRANCH: "Feature/Ä_1",
    CI_COMMIT_REF_SLUG: "feature---1",
    CI_COMMIT_SHORT_SHA: "01234567",
    CI_COMMIT_TITLE: "title",
    CI_COMMIT_DESCRIPTION: "more\nlines",
    CI_CONFIG_PATH: "ci/pipeline.yml",
    CI_PIPELINE_ID: "5",
    CI_PIPELINE_CREATED_AT: "1970-01-01T00:00:00Z",
    CI_PROJECT_NAME: "project",
    CI_PROJECT_NAMESPACE: "group/sub",
    CI_PROJECT_ROOT_NAMESPACE: "group",
    CI_PROJECT_PATH_SLUG: "group-sub-project",
    CI_PROJECT_URL: "https://gitlab.example.org:8443/group/sub/project",
    CI_SERVER_HOST: "gitlab.example.org",
    CI_SERVER_FQDN: "gitlab.example.org:8443",
    CI_SERVER_PORT: "8443",
    GITLAB_USER_LOGIN: "ada",
  };
  for (const [key, value] of Object.entries(expected)) assert.equal(all[key], value, key);
  assert.equal(all["CI_COMMIT_TAG"], undefined);
});

Deno.test("pipelineVariables() tells of a tag, and of a working copy without a remote", () => {
  const all = variables({ branch: null, tag: "v1", tagMessage: "first", remote: null });
  assert.deepEqual([all["CI_COMMIT_TAG"], all["CI_COMMIT_TAG_MESSAGE"]], ["v1", "first"]);
  assert.equal(all["CI_COMMIT_BRANCH"], undefined);
  assert.equal(all["CI_PROJECT_PATH"], "local/My-Project");
  assert.equal(variables({ remote: null }, "/srv/.hidden")["CI_PROJECT_NAME"], "-hidden");
});

Deno.test("slugOf() makes texts that fit into host names", () => {
  assert.equal(slugOf("-1.2_Ü/x-"), "1-2---x");
  assert.equal(slugOf("a".repeat(70)).length, 63);
});
