import assert from "node:assert/strict";
import {
  planForBuild,
  planForJob,
  planForTrial,
  plannedJob,
} from "../../../src/app/machine_plan.ts";
import { loadConfig, settingsFor } from "../../../src/config/load.ts";
import type { NetworkChoice } from "../../../src/config/settings.ts";
import type { Job } from "../../../src/gitlab/job.ts";
import type { MachinePlan } from "../../../src/machines/record/plan.ts";
import { machineName } from "../../../src/machines/record/name.ts";
import { named, test } from "../chroots/fixture.ts";
import { JOB as PLAIN_JOB } from "../gitlab/fixture.ts";
import { recordingHost } from "../recording_host.ts";

async function planned(
  stranger: string | null,
  network: NetworkChoice = "auto",
  { plan = planForBuild, more = "" } = {},
): Promise<MachinePlan> {
  const { host } = recordingHost();
  const read = () => Promise.resolve(`store = "/store"\ndeadline = "1h"\n${more}`);
  const config = await loadConfig({ ...host, files: { ...host.files, read } }, "/config.toml");
  const settings = { ...settingsFor(config), network, user: "ci" };
  const image = { env: ["A=b"], user: "ci", workingDir: "", entrypoint: [], cmd: [] };
  const files = { from: "/host", to: "/machine" };
  const request = { name: named("x"), tree: "/tree", settings, image, stranger, files };
  return plan(host, config, request);
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

/** Asks a plan whether its machine may start without user ids of its own. */
const startUnconfined = async (plan: MachinePlan, isBooted: boolean) =>
  await plan.onUnconfined?.(await plan.tree(), isBooted);

Deno.test("planForBuild() refuses a stranger's programs where they would be root of the host", async () => {
  await startUnconfined(await planned(null), false);
  await startUnconfined(
    await planned("docker:x", "auto", { more: "trust_images = true\n" }),
    false,
  );
  await assert.rejects(startUnconfined(await planned("docker:x"), false), {
    kind: "refused",
    message: /^Cannot run programs of docker:x: .*no user ids of its own/,
    hint: /doctor.*trust_images = true/,
  });
});

Deno.test("planForTrial() refuses to boot a stranger's systemd where it would be root of the host", async () => {
  const plan = planForTrial;
  const more = "trust_images = true\n";
  await startUnconfined(await planned(null, "auto", { plan }), true);
  await startUnconfined(await planned("docker:x", "auto", { plan }), false);
  await startUnconfined(await planned("docker:x", "auto", { plan, more }), true);
  await assert.rejects(startUnconfined(await planned("docker:x", "auto", { plan }), true), {
    kind: "refused",
    message: /^Cannot boot docker:x: its systemd would be root of the host/,
    hint: /boot = false.*trust_images = true/,
  });
});

test("planForJob() refuses to boot a stranger's systemd, and one that only the job asks for, without user ids", async (f) => {
  await f.generation("image", 1, { stranger: "docker:y" });
  await f.generation("suite", 1);
  await f.put("defs/plain.toml", "boot = false");
  await f.generation("plain", 1);
  const start = async (image: string, isBooted: boolean, config = f.config) => {
    const machine = { id: "7", name: machineName("7", undefined), server: undefined };
    const job = { ...JOB, overrides: image === "plain" ? { NSPAWN_BOOT: "true" } : {} };
    const { signal: interrupt } = new AbortController();
    const request = { machine, job, image, began: 0, interrupt, findHelperRoot };
    await startUnconfined(await planForJob(f.context.host, config, request), isBooted);
  };
  await start("image", false);
  await start("suite", true);
  await start("image", true, { ...f.config, trust_images: true });
  const refusal = { kind: "refused", message: /^Cannot boot docker:y: / };
  await assert.rejects(start("image", true), refusal);
  const overrides = { ...f.config.overrides, boot: true };
  await start("plain", false, { ...f.config, overrides });
  await assert.rejects(start("plain", true, { ...f.config, overrides }), {
    kind: "refused",
    message: /NSPAWN_BOOT=true/,
  });
});

const HELPER = { path: "/helper", runner: null, binds: [] };
const findHelperRoot = () => Promise.resolve(() => Promise.resolve(HELPER));

test("planForJob() gives a job the helper root where its chroot has no git, and the job needs it", async (f) => {
  await f.generation("bare", 1);
  await f.generation("whole", 1);
  await Deno.mkdir(`${f.config.store}/whole/usr/bin`, { recursive: true });
  await Deno.writeTextFile(`${f.config.store}/whole/usr/bin/git`, "");
  const { signal: interrupt } = new AbortController();
  const helperFor = async (image: string, strategy: string, job: Job | null = JOB) => {
    const env = (name: string) => name === "CUSTOM_ENV_GIT_STRATEGY" ? strategy : undefined;
    const machine = { id: "7", name: machineName("7", undefined), server: undefined };
    const request = { machine, job, image, began: 0, interrupt, findHelperRoot };
    const plan = await planForJob({ ...f.context.host, env }, f.config, request);
    return (await plan.tree()).helper;
  };
  assert.equal(await helperFor("bare", ""), HELPER);
  assert.equal(await helperFor("bare", "clone"), HELPER);
  assert.equal(await helperFor("bare", "none"), null);
  assert.equal(await helperFor("bare", "empty"), null);
  assert.equal(await helperFor("bare", "", null), null);
  assert.equal(await helperFor("whole", ""), null);
});

test("planForJob() gives builds that outlive the job only to jobs with a checkout", async (f) => {
  await f.generation("bare", 1);
  const { signal: interrupt } = new AbortController();
  const buildsOf = async (strategy: string, persistent_builds = true) => {
    const env = (name: string) => name === "CUSTOM_ENV_GIT_STRATEGY" ? strategy : undefined;
    const machine = { id: "7", name: machineName("7", undefined), server: "x" };
    const job = { ...JOB, project: "1" };
    const request = { machine, job, image: "bare", began: 0, interrupt, findHelperRoot };
    const config = { ...f.config, persistent_builds };
    return (await planForJob({ ...f.context.host, env }, config, request)).folders?.builds;
  };
  assert.equal(await buildsOf(""), "/builds");
  assert.equal(await buildsOf("fetch"), "/builds");
  assert.equal(await buildsOf("none"), undefined);
  assert.equal(await buildsOf("empty"), undefined);
  assert.equal(await buildsOf("fetch", false), undefined);
});

const JOB: Job = { ...PLAIN_JOB, server: undefined, url: undefined };

Deno.test("plannedJob() keeps the files of a failed job as long as the caller asks for, or the configuration", async () => {
  const kept = async (env: Record<string, string>) => {
    const { host } = recordingHost({ env });
    const read = () => Promise.resolve('store = "/store"\nkeep_failed = "1h"\n');
    const config = await loadConfig({ ...host, files: { ...host.files, read } }, "/config.toml");
    const machine = { id: "1", name: machineName("1", undefined), server: undefined };
    return plannedJob(host, config, { machine, job: null, image: "x", began: 0 }).keepSeconds;
  };
  assert.equal(await kept({}), 3600);
  assert.equal(await kept({ NSPAWN_RUNNER_KEEP: "60" }), 60);
  assert.equal(await kept({ NSPAWN_RUNNER_KEEP: "0" }), 0);
  assert.equal(
    await kept({ NSPAWN_RUNNER_KEEP: "long", CUSTOM_ENV_NSPAWN_RUNNER_KEEP: "9" }),
    3600,
  );
});
