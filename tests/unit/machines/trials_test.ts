/** What a host can do, found out by a trial. */

import assert from "node:assert/strict";
import { succeeds, verdict } from "../../../src/machines/trials.ts";
import { recordingHost } from "../recording_host.ts";

/** How a trial's process ends, whether it said what it should, what is told, and what is kept. */
const ENDS = [
  [0, true, true, "yes"],
  [0, false, false, "no"],
  [1, true, false, "no"],
  [143, true, false, null], // SIGTERM to our group
  [137, false, false, null],
] as const;

for (const [code, isRight, told, kept] of ENDS) {
  const what = kept === null ? "is not kept" : `is kept as ${kept}`;
  Deno.test(`succeeds() with a trial that ends with ${code}, ${isRight}: its answer ${what}`, async () => {
    const { host } = recordingHost();
    const answers = new Map<string, string>();
    const files = {
      ...host.files,
      makeDirectory: () => Promise.resolve(),
      read: (path: string) => Promise.resolve(answers.get(path) ?? null),
      replace: (path: string, text: string) => Promise.resolve(void answers.set(path, text)),
    };
    const trial = () => Promise.resolve(verdict({ code }, isRight));
    assert.equal(await succeeds({ ...host, files }, "idmap", "/", trial), told);
    assert.deepEqual([...answers.values()], kept === null ? [] : [kept]);
  });
}
