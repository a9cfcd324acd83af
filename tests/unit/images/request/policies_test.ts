import assert from "node:assert/strict";
import { effectivePolicies } from "../../../../src/images/request/policies.ts";

const DEFAULT = { pull_policy: ["always"], allowed_pull_policies: undefined } as const;

Deno.test("effectivePolicies() of a job that names none are those of the configuration", () => {
  assert.deepEqual(effectivePolicies(DEFAULT, []), ["always"]);
  const pull_policy = ["always", "if-not-present"] as const;
  assert.deepEqual(effectivePolicies({ ...DEFAULT, pull_policy }, []), pull_policy);
  const allowed_pull_policies = ["if-not-present"] as const;
  assert.deepEqual(effectivePolicies({ pull_policy, allowed_pull_policies }, []), [
    "if-not-present",
  ]);
});

Deno.test("effectivePolicies() of a job are those of its own that are allowed, in its order", () => {
  const config = { ...DEFAULT, allowed_pull_policies: ["always", "if-not-present"] as const };
  assert.deepEqual(effectivePolicies(config, ["if-not-present", "never", "always"]), [
    "if-not-present",
    "always",
  ]);
  assert.deepEqual(effectivePolicies(config, ["always", "always"]), ["always", "always"]);
  assert.deepEqual(effectivePolicies(DEFAULT, ["never", "always"]), ["always"]);
});

Deno.test("effectivePolicies() refuses policies that are not allowed, with both lists", () => {
  assert.throws(() => effectivePolicies(DEFAULT, ["if-not-present", "never"]), {
    kind: "refused",
    message:
      'Cannot use pull_policy "if-not-present, never" of the job: allowed on this host: always',
    hint: /allowed_pull_policies/,
  });
  const config = { ...DEFAULT, allowed_pull_policies: ["never"] as const };
  assert.throws(() => effectivePolicies(config, []), {
    kind: "refused",
    message: "Cannot pull images: pull_policy (always) has none of allowed_pull_policies (never)",
    hint: /in the configuration/,
  });
});
