/** Plans machines: of jobs, of builds, of the trial of a new chroot, and of the doctor. */

import { type ChrootTree, currentTree } from "../chroots/find/lookup.ts";
import type { Chroot } from "../chroots/find/chroot.ts";
import { chrootHas } from "../chroots/find/script_shell.ts";
import type { BuildRequest, Candidate } from "../chroots/generations/context.ts";
import { settingsFor } from "../config/load.ts";
import { applyOverrides } from "../config/overrides.ts";
import type { Config, MachineSettings } from "../config/settings.ts";
import { BUILDS_DIR, CACHE_DIR, decisionsOf } from "../gitlab/config_stage.ts";
import type { Job } from "../gitlab/job.ts";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { ProjectFolders } from "../machines/record/caches.ts";
import { describeJob } from "../machines/record/description.ts";
import { treeAsLower } from "../machines/record/lower.ts";
import { machineName } from "../machines/record/name.ts";
import type { BaseTree, HelperRoot, MachinePlan, PlannedJob } from "../machines/record/plan.ts";
import { chrootLine } from "../machines/report/start_report.ts";
import type { ChosenMachine } from "./choices.ts";
import { sha256 } from "../text/hash.ts";
import { runnerBinds } from "./runner_in_machine.ts";
import { type JobImage, resolveJobImage } from "./job_image.ts";
import type { planPulledImage } from "./pulled_image.ts";

/** Who asks for a machine, and for which image. */
export interface MachineRequest {
  readonly machine: ChosenMachine;
  /** Null for a machine that a person asks for. */
  readonly job: Job | null;
  /** As the job or the command line names it. */
  readonly image: string;
  /** When this call began, in milliseconds since 1970. */
  readonly began: number;
  /** Ends the pull of an image when aborted. */
  readonly interrupt: AbortSignal;
  readonly findHelperRoot: HelperRootFinder;
  /** Changes the plan, for a caller that decides more than a job may. */
  readonly adapt?: (plan: MachinePlan) => Promise<MachinePlan>;
}

/**
 * Finds the helper root, and makes it where it is missing.
 *
 * @returns A function that gives it as it is at each call.
 */
export type HelperRootFinder = (
  host: Host,
  config: Config,
  job: Job | null,
) => Promise<() => Promise<HelperRoot>>;

/**
 * Plans the machine of a job, or of a person. An image that means no chroot is pulled, where `pull` allows it.
 *
 * @throws {Failure} where the image is unknown or cannot be pulled, or the host lacks what the job needs.
 */
export async function planForJob(
  host: Host,
  config: Config,
  request: MachineRequest,
): Promise<MachinePlan> {
  const meant = await resolveJobImage(host, config, request.job, request.image);
  return await planForImage(host, config, request, meant);
}

/**
 * Plans the machine of a job whose image was resolved before.
 *
 * @throws {Failure} where the image cannot be pulled, or the host lacks what the job needs.
 */
export async function planForImage(
  host: Host,
  config: Config,
  request: MachineRequest,
  meant: JobImage,
): Promise<MachinePlan> {
  const { machine, job } = request;
  const input = await planInput(host, config);
  const chroot = meant.kind === "chroot" ? meant.chroot : null;
  const defined = settingsFor(config, ...chroot?.own ?? []);
  const overridden = applyOverrides(defined, config.overrides, job?.overrides ?? {});
  const settings = chroot === null
    ? { ...overridden, boot: false }
    : await withImageOptions(host, overridden, job, chroot);
  const needsHelper = chroot === null || await lacksGit(host, job, chroot, settings);
  const { tree, ...base } = meant.kind === "chroot"
    ? planChroot(host, config, meant.chroot, { settings, isBootDefined: defined.boot })
    : await planImage(host, config, meant.request, request.interrupt);
  const helper = needsHelper ? await request.findHelperRoot(host, config, job) : null;
  const plan = planOf(config, {
    name: machine.name,
    ...base,
    tree: helper === null ? tree : async () => ({ ...await tree(), helper: await helper() }),
    settings,
    owned: [BUILDS_DIR, CACHE_DIR],
    job: plannedJob(host, config, request),
    folders: await foldersOf(host, config, job, machine),
    ...input,
    async freeMore(isEnough, interrupt) {
      const { evictImages } = await import("../images/store/retention.ts");
      await evictImages(host, config.store, isEnough, interrupt);
    },
    binds: [
      ...(needsHelper ? [] : await runnerBinds(host, config, job, chroot)),
      ...await checkedBinds(host, config, settings.binds),
    ],
  });
  return await request.adapt?.(plan) ?? plan;
}

/** Most jobs on chroots name no options, and pay for no import. */
async function withImageOptions(
  host: Host,
  settings: MachineSettings,
  job: Job | null,
  { name }: Chroot,
): Promise<MachineSettings> {
  const options = job?.imageOptions;
  if (options === undefined || !Object.values(options).some((value) => value?.length)) {
    return settings;
  }
  const { applyImageOptions } = await import("./chroot_image_options.ts");
  return applyImageOptions(host, settings, options, name);
}

/**
 * Returns whether GitLab Runner's own stages cannot run in a chroot: it has no git, and the job needs it. The helper root
 * has no PowerShell.
 */
async function lacksGit(
  host: Host,
  job: Job | null,
  chroot: Chroot,
  { shell }: MachineSettings,
): Promise<boolean> {
  if (job === null || shell.endsWith("pwsh")) return false;
  if (!checksOut(host)) return false;
  return !await chrootHas(host, chroot, "git");
}

/** Returns whether a job has a checkout. */
function checksOut(host: Host): boolean {
  return !/^(?:none|empty)$/.test(host.env("CUSTOM_ENV_GIT_STRATEGY") ?? "");
}

/**
 * Plans the folder that the caller gives to the machine. GitLab Runner passes variables of jobs with a prefix, so that only its
 * own environment can have this one.
 */
async function planInput(host: Host, config: Config): Promise<Pick<MachinePlan, "input">> {
  const input = host.env("NSPAWN_RUNNER_INPUT");
  if (input === undefined) return {};
  const { verifyInput } = await import("../machines/start/input.ts");
  await verifyInput(host, config.store, input);
  return { input };
}

/** Jobs whose image is a chroot pay for no import. */
async function planImage(...args: Parameters<typeof planPulledImage>) {
  const { planPulledImage } = await import("./pulled_image.ts");
  return await planPulledImage(...args);
}

function planChroot(
  host: Host,
  config: Config,
  { name }: Chroot,
  { settings, isBootDefined }: { settings: MachineSettings; isBootDefined: boolean },
): Pick<MachinePlan, "tree" | "onReserved" | "onUnconfined"> {
  return {
    tree: async () => baseTree(name, await currentTree(host, config.store, name), settings),
    onReserved: (tree) => host.log.info(chrootLine(tree)),
    async onUnconfined(tree, isBooted) {
      if (isBooted && !isBootDefined) throw lessConfined();
      await refuseStrangersBoot(host, config, tree, isBooted);
    },
  };
}

/** Refuses to boot a tree of strangers in a machine without user ids of its own. */
export async function refuseStrangersBoot(
  host: Host,
  config: Config,
  { path }: BaseTree,
  isBooted: boolean,
): Promise<void> {
  if (!isBooted) return;
  const { strangerOf } = await import("../chroots/generations/stranger.ts");
  refuseStranger(config, await strangerOf(host, path), true);
}

/** Most chroots have no binds, and their jobs pay for no import. */
export async function checkedBinds(host: Host, config: Config, wanted: readonly string[] = []) {
  if (wanted.length === 0) return [];
  const { definedPaths } = await import("../chroots/definition/defined_paths.ts");
  const { adminBinds } = await import("../machines/start/binds.ts");
  return await adminBinds(host, config, wanted, await definedPaths(host, config));
}

/** Plans the machine that tries out a new tree before it becomes a generation. */
export function planForTrial(host: Host, config: Config, candidate: Candidate): MachinePlan {
  const { name, tree, settings, image, stranger } = candidate;
  const id = `test-${host.pid()}`;
  const base = baseTree(name, { path: tree, generation: null, image }, settings);
  return planOf(config, {
    name: machineName(id, undefined),
    tree: () => Promise.resolve({ ...base, isImmutable: true }),
    onUnconfined(_tree, isBooted) {
      if (isBooted) refuseStranger(config, stranger, true);
    },
    settings,
    diskReserve: 0, // the tree that it tries is on the disk already
    job: ownJob(host, id, settings.prepare_timeout + TRIAL_LIFETIME),
  });
}

/**
 * Plans the machine in which a chroot is built: as its jobs get it, but with the tree itself as its root.
 *
 * The machine does not start where a stranger's programs would run as root of the host.
 */
export function planForBuild(host: Host, config: Config, request: BuildRequest): MachinePlan {
  const { name, tree, image, files, stranger } = request;
  const settings = {
    ...request.settings,
    boot: false,
    user: "root",
    // Packages come from somewhere.
    network: request.settings.network === "none" ? "auto" : request.settings.network,
    limits: { ...request.settings.limits, disk_max: "infinity" },
  } as const;
  const id = `build-${host.pid()}`;
  const base = baseTree(name, { path: tree, generation: null, image }, settings);
  return planOf(config, {
    name: machineName(id, undefined),
    tree: () => Promise.resolve({ ...base, environment: [] }),
    changesTree: true,
    onUnconfined: () => refuseStranger(config, stranger, false),
    settings,
    diskReserve: 0, // the tree is on the disk already
    binds: files === null
      ? []
      : [{ from: files.from, to: files.to, readOnly: true, keepsDiskOwners: true }],
    job: ownJob(host, id, Math.max(config.deadline, DAY)),
  });
}

/** Seconds. */
const DAY = 86_400;

/** Returns the job of a machine that this process needs for itself. */
export function ownJob(host: Host, id: string, lifetime: number): PlannedJob {
  return {
    id,
    server: undefined,
    url: undefined,
    watcher: "self",
    began: host.clock.now(),
    timeout: undefined,
    lifetime,
    keepSeconds: 0,
    description: null,
  };
}

/**
 * Refuses programs of strangers in a machine without user ids of its own, where they would be root of the host. Scripts in
 * a plain machine have fewer capabilities, so that those of jobs are not refused.
 */
function refuseStranger(
  { trust_images }: Config,
  stranger: string | null,
  isBooted: boolean,
): void {
  if (trust_images || stranger === null) return;
  throw isBooted
    ? refused(
      `Cannot boot ${stranger}: its systemd would be root of the host, since the machine has no user ids of its own`,
      "Set boot = false in the definition, or trust_images = true in the configuration",
    )
    : refused(
      `Cannot run programs of ${stranger}: they would be root of the host, since the machine has no user ids of its own`,
      "nspawn-runner doctor names the reason; or set trust_images = true in the configuration",
    );
}

/** Root of a booted machine without a user namespace could mount what it likes: only the administrator allows that. */
function lessConfined(): Error {
  return refused(
    "Cannot use NSPAWN_BOOT=true: without user namespaces a booted machine is less confined",
    "Remove the variable; the administrator can set boot = true for the chroot",
  );
}

/**
 * Plans the machine that the doctor checks: as a job with this image gets it.
 *
 * @throws {Failure} as {@linkcode planForJob}.
 */
export async function planForCheck(
  host: Host,
  config: Config,
  image: string,
  interrupt: AbortSignal,
  findHelperRoot: HelperRootFinder,
): Promise<MachinePlan> {
  const began = host.clock.now();
  const id = `doctor-${host.pid()}`;
  const machine = { id, name: machineName(id, undefined), server: undefined };
  const { onReserved: _, ...plan } = await planForJob(host, config, {
    machine,
    job: null,
    image,
    began,
    interrupt,
    findHelperRoot,
  });
  const lifetime = plan.settings.prepare_timeout + TRIAL_LIFETIME;
  return { ...plan, job: { ...ownJob(host, id, lifetime), began } };
}

/** Seconds that the scripts of a trial may take; afterwards any housekeeping ends its machine. */
const TRIAL_LIFETIME = 300;

/** Returns a plan with what all machines of a configuration have in common. */
export function planOf(
  config: Config,
  parts: Pick<MachinePlan, "name" | "tree" | "settings" | "job"> & Partial<MachinePlan>,
): MachinePlan {
  return {
    store: config.store,
    networks: config,
    diskReserve: config.disk_reserve,
    owned: [],
    folders: undefined,
    binds: [],
    ...parts,
  };
}

export function baseTree(
  name: string,
  { path, generation, image }: ChrootTree,
  settings: MachineSettings,
): BaseTree {
  const { user = "", env: environment = [] } = image ?? {};
  const isImmutable = generation !== null;
  return {
    ...{ name, path, generation, isImmutable, environment },
    lower: treeAsLower(path),
    helper: null,
    process: null,
    user: settings.user ?? user,
  };
}

/** Returns for how long the files of a failed job are kept: the caller may say it, but no job, whose variables have a prefix. */
function keepSecondsOf(host: Host, { keep_failed = 0 }: Config): number {
  const text = host.env("NSPAWN_RUNNER_KEEP") ?? "";
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : keep_failed;
}

export function plannedJob(
  host: Host,
  config: Config,
  { machine, job, image, began }: Pick<MachineRequest, "machine" | "job" | "image" | "began">,
): PlannedJob {
  const timeout = job?.timeout;
  return {
    id: machine.id,
    server: machine.server,
    url: job?.url,
    watcher: job === null ? "none" : "gitlab-runner",
    began: decisionsOf(host.env)?.began || began,
    timeout,
    lifetime: timeout === undefined ? config.deadline : timeout + MARGIN,
    keepSeconds: keepSecondsOf(host, config),
    description: describeJob(job, image),
  };
}

/** Seconds after its time-out in which GitLab Runner has ended a job for sure. */
const MARGIN = 1800;

/** As in Docker, a job without a checkout never finds the one of an earlier job. */
async function foldersOf(
  host: Host,
  config: Config,
  job: Job | null,
  { server }: ChosenMachine,
): Promise<ProjectFolders | undefined> {
  if (job?.project === undefined || server === undefined) return undefined;
  return {
    owner: { server, project: job.project, refs: await refsOf(job) },
    cache: CACHE_DIR,
    builds: config.persistent_builds && checksOut(host) ? BUILDS_DIR : undefined,
  };
}

/** Where GitLab does not tell whether a ref is protected, its jobs share folders with those of no other ref. */
async function refsOf({ isProtected, ref }: Job): Promise<string> {
  if (isProtected === undefined) return `unknown-${(await sha256(ref)).slice(0, 32)}`;
  return isProtected ? "protected" : "unprotected";
}
