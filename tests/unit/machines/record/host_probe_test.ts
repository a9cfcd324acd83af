/** What a host can do, found out by an attempt. */

import assert from "node:assert/strict";
import { probe, probeResult } from "../../../../src/machines/record/host_probe.ts";
import { FREE_LOCK, inFolder, recordingHost } from "../../recording_host.ts";
import { standaloneHost } from "../standalone_host.ts";

/** The exit code of an attempt, whether its output is right, and the answer that is returned and stored; null for none. */
const ENDS = [
  [0, true, true],
  [0, false, false],
  [1, true, false],
  [143, true, null], // SIGTERM to our group
  [137, false, null],
] as const;

Deno.test("probe() keeps no answer where the path was removed during the attempt", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const tree = `${folder}/tree`;
    const attempt = () => Deno.remove(tree).then(() => false);
    await Deno.mkdir(tree);
    await assert.rejects(probe(host, "idmap", tree, attempt), {
      kind: "host",
      message: /was removed$/,
    });
    await Deno.mkdir(tree);
    assert.equal(await probe(host, "idmap", tree, () => Promise.resolve(true)), true);
  });
});

for (const [code, isRight, told] of ENDS) {
  Deno.test(`probe() of an attempt that ends with ${code}, ${isRight}, returns and keeps ${told}`, async () => {
    const { host } = recordingHost();
    const answers = new Map<string, string>();
    const files = {
      ...host.files,
      makeDirectory: () => Promise.resolve(),
      read: (path: string) => Promise.resolve(answers.get(path) ?? null),
      replace: (path: string, text: string) => Promise.resolve(void answers.set(path, text)),
      lock: () => Promise.resolve(FREE_LOCK),
    };
    const attempt = () => Promise.resolve().then(() => probeResult({ code }, isRight));
    const asked = probe({ ...host, files }, "idmap", "/", attempt);
    if (told === null) await assert.rejects(asked, { kind: "host", message: /interrupted$/ });
    else assert.equal(await asked, told);
    assert.deepEqual([...answers.values()], told === null ? [] : [told ? "yes" : "no"]);
  });
}
