import assert from "node:assert/strict";
import type { Failure } from "../../../../src/failure.ts";
import { cannotStart } from "../../../../src/machines/supervisor/supervisor.ts";
import { specOf } from "../fixture.ts";

function failureOf(output: string, timedOut: boolean): Pick<Failure, "message" | "hint"> {
  const { message, hint } = cannotStart(specOf(), output, timedOut) as Failure;
  return { message, hint };
}

Deno.test("cannotStart() has the last line of the output as its reason, and the lines before it below", () => {
  assert.deepEqual(failureOf("one\n\ntwo\n", false), {
    message: "Cannot start machine run-42: two\none",
    hint: undefined,
  });
});

Deno.test("cannotStart() of a machine that was late names the setting that gives it more time", () => {
  assert.deepEqual(failureOf("one\ntwo\n", true), {
    message: "Cannot start machine run-42: it was not ready within 120 s\none\ntwo",
    hint: "Raise prepare_timeout",
  });
});

Deno.test("cannotStart() explains an init that crashes", () => {
  const { hint } = failureOf("Container run-42 terminated by signal SEGV.\n", false);
  assert.match(
    hint!,
    /Build it again: nspawn-runner chroot-remove, then nspawn-runner chroot-create$/,
  );
  assert.equal(failureOf("Container run-42 terminated by signal KILL.\n", false).hint, undefined);
});
