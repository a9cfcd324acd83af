import assert from "node:assert/strict";
import { wantsServiceOutput } from "../../../src/gitlab/debug_services.ts";

Deno.test("wantsServiceOutput() takes the values that Go's ParseBool() takes for true", () => {
  const wants = (value: string | undefined) => wantsServiceOutput({ env: () => value });
  for (const value of ["true", "TRUE", "True", "t", "T", "1"]) assert.ok(wants(value), value);
  for (const value of [undefined, "", "false", "0", "yes", "tRUE", "true ", "11"]) {
    assert.ok(!wants(value), value);
  }
});
