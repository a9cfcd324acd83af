/** The table of nftables; what it does is shown in tests/integration/network_test.ts. */

import assert from "node:assert/strict";
import { rulesFor } from "../../../../src/machines/network/rules.ts";

const PLAN = {
  network_range: "10.1.0.0/16",
  network_deny: ["1.2.3.4", "fd00::1"],
  network_allow: [],
};

Deno.test("rulesFor() puts each address into the set of its family, and writes no empty elements", () => {
  const { text } = rulesFor(PLAN, ["9.9.9.9"]);
  assert.match(text, /set denied4 \{\n[^}]*elements = \{ 169\.254\.0\.0\/16, [^}]*, 1\.2\.3\.4 \}/);
  assert.match(text, /set denied6 \{\n[^}]*elements = \{ fd00:ec2::254, [^}]*, fd00::1 \}/);
  assert.match(text, /set dns4 \{\n[^}]*elements = \{ 9\.9\.9\.9 \}/);
  assert.match(text, /set dns6 \{\n[^}]*auto-merge;\n/);
});

Deno.test("rulesFor() limits what machines ask the host's own name server, where that answers them", () => {
  assert.doesNotMatch(rulesFor(PLAN, ["9.9.9.9"]).text, / limit /); // needs a module of the kernel
  assert.match(rulesFor(PLAN, ["10.1.0.1"]).text, /ip daddr 10\.1\.0\.1 .* limit rate over /);
});

Deno.test("rulesFor() gives different texts different marks", () => {
  const marks = [
    rulesFor(PLAN, []),
    rulesFor(PLAN, ["9.9.9.9"]),
    rulesFor({ ...PLAN, network_allow: ["1.2.3.4"] }, []),
  ].map(({ mark }) => mark);
  assert.equal(new Set(marks).size, 3);
  assert.equal(rulesFor(PLAN, []).mark, marks[0]);
});
