import assert from "node:assert/strict";
import { planForBuild } from "../../../src/app/machine_plan.ts";
import { loadConfig, settingsFor } from "../../../src/config/load.ts";
import type { NetworkChoice } from "../../../src/config/settings.ts";
import type { MachinePlan } from "../../../src/machines/record/plan.ts";
import { named } from "../chroots/fixture.ts";
import { recordingHost } from "../recording_host.ts";

async function planned(
  stranger: string | null,
  network: NetworkChoice = "auto",
): Promise<MachinePlan> {
  const { host } = recordingHost();
  const read = () => Promise.resolve('store = "/store"\ndeadline = "1h"\n');
  const config = await loadConfig({ ...host, files: { ...host.files, read } }, "/config.toml");
  const settings = { ...settingsFor(config), network, user: "ci" };
  const image = { env: ["A=b"], user: "ci", workingDir: "", entrypoint: [], cmd: [] };
  const files = { from: "/host", to: "/machine" };
  const request = { name: named("x"), tree: "/tree", settings, image, stranger, files };
  return planForBuild(host, config, request);
}

Deno.test("planForBuild() plans a plain machine for root, in the tree, with a network and no limit of the disk", async () => {
  const plan = await planned(null, "none");
  const { path, user, environment } = await plan.tree();
  assert.deepEqual([path, user, environment, plan.changesTree], ["/tree", "root", [], true]);
  const { boot, network, limits } = plan.settings;
  assert.deepEqual([boot, network, limits.disk_max], [false, "auto", "infinity"]);
  assert.deepEqual([plan.job.watcher, plan.job.lifetime, plan.diskReserve], ["self", 86_400, 0]);
  assert.deepEqual(plan.binds, [
    { from: "/host", to: "/machine", readOnly: true, keepsDiskOwners: true },
  ]);
  assert.equal((await planned(null, "host")).settings.network, "host");
});

Deno.test("planForBuild() refuses a stranger's programs only where they would be root of the host", async () => {
  const trusted = await planned(null);
  const untrusted = await planned("docker:x");
  const tree = await trusted.tree();
  trusted.onReserved?.(tree, null);
  untrusted.onReserved?.(tree, 0x6000_0000);
  assert.throws(() => untrusted.onReserved?.(tree, null), {
    kind: "refused",
    message: /^Cannot run programs of docker:x: .*no user ids of its own/,
    hint: /doctor.*trust_images = true/,
  });
});
