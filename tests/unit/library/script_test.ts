import assert from "node:assert/strict";
import { withVariables } from "../../../src/library/script.ts";

const made = (script: string, variables: Record<string, string>, shell = "bash") =>
  new TextDecoder().decode(withVariables(script, variables, shell));

Deno.test("withVariables() leaves a script without variables as it is", () => {
  assert.equal(made("#!/usr/bin/python3\nprint()", {}), "#!/usr/bin/python3\nprint()");
});

Deno.test("withVariables() exports variables before the script, and after its first line #!", () => {
  const variables = { A: "it's\n$B", _b2: "" };
  const exports = `export A='it'\\''s\n$B'\nexport _b2=''\n`;
  assert.equal(made("make", variables), `${exports}make`);
  assert.equal(made("#!/bin/sh -eu\nmake", variables), `#!/bin/sh -eu\n${exports}make`);
  assert.equal(made("#!/usr/bin/env bash", variables), `#!/usr/bin/env bash\n${exports}`);
});

Deno.test("withVariables() refuses other languages, and names and values that no variable has", () => {
  const refused = { kind: "refused" };
  assert.throws(() => made("#!/usr/bin/env python3\n", { A: "b" }), {
    ...refused,
    message: "Cannot give variables to the script: python3 is no shell",
  });
  assert.throws(() => made("Get-Item", { A: "b" }, "/usr/bin/pwsh"), refused);
  for (const name of ["", "1A", "A-B", "A B", "A\n", "ä"]) {
    assert.throws(() => made("true", { [name]: "b" }), refused, name);
  }
  assert.throws(() => made("true", { A: "\0" }), refused);
  assert.throws(() => made("true", { A: 1 as unknown as string }), refused);
});
