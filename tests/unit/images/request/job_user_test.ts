import assert from "node:assert/strict";
import { jobUser } from "../../../../src/images/request/job_user.ts";
import { recordingHost } from "../../recording_host.ts";
import { JOB } from "../../gitlab/fixture.ts";

function userOf(user: string | null): string | null {
  const { host } = recordingHost({ env: { CUSTOM_ENV_WHO: "1000" } });
  return jobUser(host, { ...JOB.imageOptions, user });
}

Deno.test("jobUser() expands the job's variables", () => {
  assert.equal(userOf("nobody"), "nobody");
  assert.equal(userOf("${WHO}:$WHO"), "1000:1000");
  for (const none of [null, "", "$NOBODY"]) assert.equal(userOf(none), null);
});

Deno.test("jobUser() refuses what could be anything else than a user", () => {
  for (const user of ["-x", "a b", "a:b:c", "a\nb", "$$x", ":0", "../x", "x".repeat(65)]) {
    assert.throws(() => userOf(user), { kind: "refused", hint: /image:docker:user/ }, user);
  }
});
