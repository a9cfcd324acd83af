import type { Chroot } from "../chroots/find/chroot.ts";
import { resolveForJob } from "../chroots/find/resolve.ts";
import { type ChrootTree, currentTree } from "../chroots/find/lookup.ts";
import { chrootHas } from "../chroots/find/script_shell.ts";
import type { CommandRun, Invocation } from "../app/command.ts";
import type { Config, MachineSettings } from "../config/settings.ts";
import { settingsFor } from "../config/load.ts";
import { withWishes } from "../config/overrides.ts";
import { BUILDS_DIR, CACHE_DIR, decisionsOf } from "../gitlab/config_stage.ts";
import { findHelper, HELPER_PATH, HELPER_PROOF, noHelper } from "../gitlab/helper.ts";
import { type Job, readJob } from "../gitlab/job.ts";
import { hostFailure, messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { adminBinds } from "../machines/start/binds.ts";
import type { Bind, FolderPlan } from "../machines/record/caches.ts";
import { weakenedProtections } from "../machines/nspawn/privileges.ts";
import { runStage } from "../machines/use/run_script.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { type Started, startMachine } from "../machines/start/start.ts";
import { stopMachine } from "../machines/end/stop.ts";
import { chooseImage, chooseMachine, type Chosen } from "../app/choices.ts";
import { interruptible } from "../app/interrupt.ts";

/** Starts the machine of a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const began = host.clock.now();
  const job = await readJob(host);
  const chosen = await chooseMachine(invocation, job);
  const config = await load();
  const chroot = await resolveForJob(host, config, imageOf(host, invocation, job, config));
  const wishes = job?.wishes ?? {};
  const settings = withWishes(settingsFor(config, ...chroot.own), config.overrides, wishes);
  const binds = [
    ...await helperBinds(host, config, job, chroot),
    ...await adminBinds(host, config.store, settings.binds ?? []),
  ];
  const plan = planOf({ host, config, chosen, job, chroot, settings, binds, began });
  if (job !== null && job.services.length > 0) {
    host.log.info(`Services are not started on this runner: ${job.services.join(", ")}`);
  }
  await interruptible(host, async (interrupt) => {
    const started = await startMachine(host, plan, interrupt);
    if (job?.movesFiles) await proveHelper(host, plan, interrupt);
    host.log.info(describe(started, settings));
    for (const note of started.notes) host.log.info(note);
  });
  host.log.info(`Machine ${chosen.machine} ready in ${seconds(host.clock.now() - began)} s`);
};

function generationOf({ generation }: ChrootTree): string {
  return generation === null ? "" : `, generation ${generation}`;
}

/** Config may have decided already what the job's own image means. */
function imageOf(host: Host, invocation: Invocation, job: Job | null, config: Config): string {
  const decided = decisionsOf(host.env)?.chroot;
  const own = job === null || decided === undefined ? job : { ...job, image: decided };
  return chooseImage(invocation, own, config);
}

/** What a plan is made of. */
interface Parts {
  readonly host: Host;
  readonly config: Config;
  readonly chosen: Chosen;
  readonly job: Job | null;
  readonly chroot: Chroot;
  readonly settings: MachineSettings;
  readonly binds: readonly Bind[];
  readonly began: number;
}

function planOf({ host, config, chosen, job, chroot, settings, binds, began }: Parts): MachinePlan {
  const { name } = chroot;
  const { timeout } = job ?? {};
  return {
    name: chosen.machine,
    store: config.store,
    async tree() {
      const tree = await currentTree(host, config.store, name);
      host.log.info(`Image ${name}${generationOf(tree)} (${tree.path})`);
      const { user = "", env: environment = [] } = tree.image ?? {};
      const isFixed = tree.generation !== null;
      return { name, path: tree.path, user: settings.user ?? user, environment, isFixed };
    },
    settings,
    owned: [BUILDS_DIR, CACHE_DIR],
    diskReserve: config.disk_reserve,
    networks: config,
    job: {
      id: chosen.id,
      server: chosen.server,
      url: job?.url,
      watcher: job === null ? "nobody" : "gitlab-runner",
      began: decisionsOf(host.env)?.began || began,
      timeout,
      lifetime: timeout === undefined ? config.deadline : timeout + MARGIN,
      keep: config.keep_failed ?? 0,
    },
    folders: foldersOf(config, job, chosen),
    binds,
  };
}

/** Seconds after its time-out in which a job that is watched over has ended for sure. */
const MARGIN = 1800;

function foldersOf(config: Config, job: Job | null, { server }: Chosen): FolderPlan | undefined {
  if (job?.project === undefined || server === undefined) return undefined;
  return {
    owner: { server, project: job.project, isProtected: job.isProtected },
    cache: CACHE_DIR,
    builds: config.persistent_builds ? BUILDS_DIR : undefined,
  };
}

/** The host's gitlab-runner; a job that needs one and could have none is refused before it costs a machine. */
async function helperBinds(
  host: Host,
  config: Config,
  job: Job | null,
  chroot: Chroot,
): Promise<Bind[]> {
  if (job === null) return [];
  const helper = await findHelper(host, config.gitlab_runner);
  if (helper !== null) {
    return [{ from: helper, to: HELPER_PATH, readOnly: true, sameOwners: false }];
  }
  if (job.movesFiles && !await chrootHas(host, chroot, "gitlab-runner")) {
    throw noHelper("neither the host nor the image has one");
  }
  return [];
}

/** Scripts of GitLab Runner only warn where it does not run: the job would pass without its artifacts. */
async function proveHelper(host: Host, plan: MachinePlan, interrupt: AbortSignal): Promise<void> {
  const store = () => Promise.resolve(plan.store);
  const proof = { script: HELPER_PROOF, shell: "sh" };
  const { ending } = await runStage(host, store, plan.name, proof, interrupt);
  if (ending.kind === "exited" && ending.code === 0) return;
  await stopMachine(host, store, plan.name).catch((error) => host.log.warn(messageOf(error)));
  if (ending.kind === "exited" && !interrupt.aborted) {
    throw noHelper("it does not run in the machine");
  }
  throw hostFailure(
    `Cannot start machine ${plan.name}: it was ended while gitlab-runner was tried`,
  );
}

function describe({ lease, limits }: Started, settings: MachineSettings): string {
  const kind = lease.booted ? "booted" : "plain";
  const { disk_max } = settings.limits;
  const disk = disk_max === "infinity" ? [] : [`disk max ${disk_max}`];
  return [
    `Storage ${lease.storage}`,
    ...disk,
    kind,
    limits ? limitsOf(settings) : `no ${disk.length === 0 ? "" : "other "}${NO_LIMITS}`,
    ...weakenedProtections(settings),
    lease.ids === null ? "no user namespace" : "user ids of its own",
    NETWORKS[lease.network.kind],
  ].join(", ");
}

const NETWORKS = {
  private: "network of its own",
  host: "network of the host",
  none: "no network",
} as const;

const NO_LIMITS = "limits: systemd is not PID 1 on this host";

function limitsOf({ limits }: MachineSettings): string {
  return [
    `CPU weight ${limits.cpu_weight}`,
    `memory high ${limits.memory_high}`,
    `memory max ${limits.memory_max}`,
    ...(limits.cpu_quota === "infinity" ? [] : [`CPU quota ${limits.cpu_quota}`]),
    `tasks max ${limits.tasks_max}`,
  ].join(", ");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
