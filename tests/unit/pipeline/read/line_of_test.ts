import assert from "node:assert/strict";
import { lineOf } from "../../../../src/pipeline/read/line_of.ts";

const TEXT = `stages: [build]
# build: no key
.base:
  script: x
build:
  variables:
    script: no
  "script":
    - a: b
  rules:
    - if: $A
      when: never
    # when: comment
    -   if: $B

        when: always
  after:
  - x
  - y: z
'te:st' :
  script: y
`;

Deno.test("lineOf() finds nested keys, as far as they are there", () => {
  const lines: readonly [readonly string[], number | undefined][] = [
    [["stages"], 1],
    [["build"], 5],
    [["build", "script"], 8],
    [["build", "rules", "0", "when"], 12],
    [["build", "rules", "1", "if"], 14],
    [["build", "rules", "1", "when"], 16],
    [["build", "rules", "2"], 10],
    [["build", "rules", "when"], 10],
    [["build", "after", "1", "y"], 19],
    [["build", "variables", "script"], 7],
    [["build", "nothing"], 5],
    [["te:st", "script"], 21],
    [["script"], undefined],
    [["nothing"], undefined],
    [[], undefined],
    [[""], undefined],
  ];
  for (const [keys, line] of lines) assert.equal(lineOf(TEXT, keys), line, keys.join(" "));
});
