/** What a host can do, found out by an attempt. */

import assert from "node:assert/strict";
import type { Host } from "../../../../src/host/host.ts";
import {
  attemptInOwnMounts,
  couldOwnIds,
  probe,
  type ProbeRequest,
} from "../../../../src/machines/record/host_probe.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { standaloneHost } from "../standalone_host.ts";

const CONTROL = "control succeeded\n";

/** The end of an attempt, whether its output is right, and what that proves; a text is the reason for no proof. */
const ENDS = [
  [{ code: 0, stderr: CONTROL }, true, true],
  [{ code: 0, stderr: CONTROL }, false, false],
  [{ code: 32, stderr: `${CONTROL}mount: wrong fs type\n` }, true, false],
  [
    { code: 1, stderr: `${CONTROL}mount: fsconfig system call failed: Invalid argument\n` },
    true,
    false,
  ],
  [{ code: 143, stderr: CONTROL }, true, "interrupted"],
  [{ code: 137 }, false, "interrupted"],
  // What a job may bring about, by using up mount namespaces, memory, processes or open files.
  [
    { code: 1, stderr: "unshare: unshare failed: No space left on device\n" },
    true,
    "No space left",
  ],
  [{ code: 32, stderr: "mount: cannot mount control\n" }, true, "cannot mount control"],
  [{ code: 1 }, true, "mount ended with 1"],
  [{ code: 32, stderr: `${CONTROL}mount: Cannot allocate memory.\n` }, true, "allocate memory"],
  [{ code: 2, stderr: `${CONTROL}sh: 1: Cannot fork\n` }, true, "Cannot fork"],
  [{ code: 1, stderr: `${CONTROL}mount: Too many open files\n` }, true, "Too many open files"],
] as const;

for (const [answer, isRight, proven] of ENDS) {
  Deno.test(`attemptInOwnMounts() that ends with ${JSON.stringify(answer)}, ${isRight}, proves ${proven}`, async () => {
    const { host } = recordingHost({ answer: () => answer });
    const attempt = attemptInOwnMounts(host, ["true"], () => isRight);
    if (typeof proven === "boolean") return assert.equal(await attempt, proven);
    await assert.rejects(attempt, { kind: "host", message: new RegExp(proven) });
  });
}

/** Probes `path` in a boot, with an attempt that ends so. */
function asks(host: Host, path: string) {
  let attempts = 0;
  return {
    attempts: () => attempts,
    ask: (topic: ProbeRequest["topic"], boot: string, attempt: () => Promise<boolean>) =>
      probe(host, { topic, path, store: path, boot }, () => {
        attempts++;
        return attempt();
      }),
  };
}

const yes = () => Promise.resolve(true);
const no = () => Promise.resolve(false);

Deno.test("probe() keeps an answer for one boot, and none of an attempt that proved nothing", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const { attempts, ask } = asks(host, folder);
    await assert.rejects(ask("idmap", "a", () => Promise.reject(new Error("short of memory"))));
    assert.equal(await ask("idmap", "a", yes), true);
    assert.equal(await ask("idmap", "a", no), true);
    assert.equal(attempts(), 2);
    assert.equal(await ask("idmap", "b", no), false, "another kernel");
    assert.equal(await ask("idmap", "b", yes), false);
    assert.equal(attempts(), 3);
  }));

Deno.test("couldOwnIds() is true in the boot in which owners could be mapped or shifted", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const { ask } = asks(host, folder);
    await ask("overlay", "a", yes);
    await ask("tree", "a", yes);
    await ask("idmap", "a", no);
    assert.equal(await couldOwnIds(host, folder, "a"), false);
    await ask("shift", "a", yes);
    assert.equal(await couldOwnIds(host, folder, "a"), true);
    assert.equal(await couldOwnIds(host, folder, "b"), false);
    assert.equal(await couldOwnIds(host, `${folder}/none`, "a"), false, "another store");
  }));

Deno.test("probe() keeps no answer where the path was removed during the attempt", () =>
  inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    const tree = `${folder}/tree`;
    const { ask } = asks(host, tree);
    await Deno.mkdir(tree);
    await assert.rejects(ask("idmap", "a", () => Deno.remove(tree).then(() => false)), {
      kind: "host",
      message: /was removed$/,
    });
    await Deno.mkdir(tree);
    assert.equal(await ask("idmap", "a", yes), true);
  }));
