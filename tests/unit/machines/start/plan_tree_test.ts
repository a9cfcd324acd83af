/** Whose ids the files of a machine have, by what the host can do and by `private_users`. */

import assert from "node:assert/strict";
import type { MachineSettings } from "../../../../src/config/settings.ts";
import { ID_AREA } from "../../../../src/machines/record/ids.ts";
import type { MachinePlan } from "../../../../src/machines/record/plan.ts";
import { planTree, snapshotTree } from "../../../../src/machines/start/plan_tree.ts";
import { prepareHost } from "../../../../src/machines/start/prepare_host.ts";
import { type Answer, inFolder } from "../../recording_host.ts";
import { planOf, SETTINGS } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

/** What a host can do: an idmapped mount, a shifted layer, or neither. */
type Means = "idmap" | "shift" | "neither";

const quiet = new AbortController().signal;

function answerAs(means: Means) {
  return (argv: readonly string[]): Answer | void => {
    if (argv.includes("--version")) return { stdout: "systemd 252 (252)\n" };
    if (argv.includes("systemd-nspawn")) return { code: 1, stderr: "Operation not supported\n" };
    if (argv[0] !== "unshare") return;
    const isIdmap = argv.some((word) => word.includes("X-mount.idmap"));
    if (isIdmap && means === "idmap") return { stdout: `${ID_AREA[0]}\n` };
    if (!isIdmap && means === "shift") return { stdout: `${ID_AREA[0]} 4750\ncontent` };
    return { code: 1, stderr: "control succeeded\n" };
  };
}

/**
 * Plans a machine on a host with these means, and returns whose ids its files have.
 *
 * @param before Fills the folder of the host, which has `store` and `run`.
 */
async function ownersOf(
  private_users: MachineSettings["private_users"],
  means: Means,
  changes: Partial<MachinePlan> = {},
  before: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  let kind = "";
  await inFolder(async (folder) => {
    const settings = { ...SETTINGS, storage: "tmpfs", boot: false, private_users } as const;
    const plan = planOf(`${folder}/store`, { settings, ...changes });
    await Deno.mkdir((await plan.tree()).path, { recursive: true });
    await before(folder);
    const { host } = standaloneHost(folder, answerAs(means));
    const ready = await prepareHost(host, plan, quiet);
    const planned = await planTree(host, plan, ready, await snapshotTree(host, plan), quiet);
    kind = planned.owners.kind;
  });
  return kind;
}

Deno.test('planTree() gives a machine user ids of its own where the host can, but for "off"', async () => {
  for (const choice of ["auto", "required"] as const) {
    assert.equal(await ownersOf(choice, "idmap"), "mapped", choice);
    assert.equal(await ownersOf(choice, "shift"), "shifted", choice);
  }
  assert.equal(await ownersOf("off", "idmap"), "host");
});

Deno.test('planTree() refuses a machine without ids of its own where private_users is "required"', async () => {
  assert.equal(await ownersOf("auto", "neither"), "host");
  await assert.rejects(ownersOf("required", "neither"), {
    kind: "host",
    message: /user ids of its own: this host can neither map owners nor hold a shifted layer$/,
    hint: /private_users = "off"/,
  });
});

Deno.test('planTree() refuses to build a chroot with the host\'s ids where private_users is "required"', async () => {
  const build = { changesTree: true };
  assert.equal(await ownersOf("auto", "shift", build), "host");
  await assert.rejects(ownersOf("required", "shift", build), {
    kind: "host",
    message: /user ids of its own: nspawn cannot map the owners of the tree$/,
  });
});

Deno.test('planTree() refuses a machine without ids of its own where others had them since the boot, also for "auto"', async () => {
  const others = (boot: string) => async (folder: string) => {
    const { dev } = await Deno.stat(`${folder}/store`);
    await Deno.mkdir(`${folder}/run/nspawn-runner`, { recursive: true });
    await Deno.writeTextFile(`${folder}/run/nspawn-runner/.own-ids-${dev}`, `${boot}\n`);
  };
  assert.equal(await ownersOf("auto", "neither", {}, others("boot-0")), "host");
  await assert.rejects(ownersOf("auto", "neither", {}, others("boot-1")), {
    kind: "host",
    message: /other machines had them since the host started$/,
  });
});
