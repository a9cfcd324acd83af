import assert from "node:assert/strict";
import { onlyRules } from "../../../../src/pipeline/read/only_rules.ts";

const BRANCH = { CI_COMMIT_BRANCH: "feature/x", CI_PROJECT_PATH: "g/p" };
const TAG = { CI_COMMIT_TAG: "v1.0", CI_PROJECT_PATH: "g/p" };

/** Returns whether the refs of a job allow it. */
function isIn(job: Record<string, unknown>, variables: Record<string, string>): boolean {
  return onlyRules("job", job, variables)!.every(({ when }) => when !== "never");
}

Deno.test("onlyRules() compares refs as GitLab does", () => {
  const cases: readonly [Record<string, unknown>, boolean, boolean][] = [
    [{ only: ["branches"] }, true, false],
    [{ only: "tags" }, false, true],
    [{ only: ["main", "feature/x"] }, true, false],
    [{ only: ["/^feature\\/.*$/"] }, true, false],
    [{ only: ["/^V1/i"] }, false, true],
    [{ only: ["pushes"] }, true, true],
    [{ only: ["schedules", "merge_requests"] }, false, false],
    [{ only: ["branches@g/p"] }, true, false],
    [{ only: ["branches@other/p"] }, false, false],
    [{ only: { refs: ["tags"] } }, false, true],
    [{ except: ["tags"] }, true, false],
    [{ only: ["branches", "tags"], except: ["/x$/"] }, false, true],
    [{ except: { refs: ["schedules"] } }, true, true],
    [{ only: { variables: ["$A"] } }, true, true],
  ];
  for (const [job, onBranch, onTag] of cases) {
    assert.deepEqual([isIn(job, BRANCH), isIn(job, TAG)], [onBranch, onTag], JSON.stringify(job));
  }
  assert.equal(isIn({ only: ["web"] }, { ...BRANCH, CI_PIPELINE_SOURCE: "web" }), true);
});

Deno.test("onlyRules() makes rules of variables and changes", () => {
  const job = {
    only: { variables: ["$A", "$B"], changes: ["a/*"] },
    except: { variables: ["$C"], changes: ["b/*"] },
  };
  assert.deepEqual(onlyRules("job", job, BRANCH), [
    { if: "$C", when: "never" },
    { changes: ["b/*"], when: "never" },
    { if: "$A", changes: ["a/*"] },
    { if: "$B", changes: ["a/*"] },
  ]);
});

Deno.test("onlyRules() returns null for a job with neither", () => {
  assert.equal(onlyRules("job", { rules: [] }, BRANCH), null);
});

Deno.test("onlyRules() refuses only: beside rules:, and a wrong pattern", () => {
  assert.throws(() => onlyRules("job", { only: [], rules: [] }, BRANCH), /both rules: and only:/);
  assert.throws(() => onlyRules("job", { only: ["/(/"] }, BRANCH), /^Error: \/\(\/ is no regular/);
});
