/** The helper root of a job's machine: a chroot with git and gitlab-runner, which is made when the first job needs it. */

import { join } from "@std/path/posix";
import { HELPER_NAME } from "../chroots/definition/helper_definition.ts";
import { findDefinition } from "../chroots/definition/find_definition.ts";
import { currentTree, lookUpTree } from "../chroots/find/lookup.ts";
import { create } from "../chroots/build/create.ts";
import { tryLock } from "../chroots/generations/lock.ts";
import type { ChrootName } from "../config/chroot_name.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, refused } from "../failure.ts";
import { findRunnerProgram, runnerMissing } from "../gitlab/runner_program.ts";
import type { Job } from "../gitlab/job.ts";
import type { Host } from "../host/host.ts";
import { isStaticProgram } from "../linux/elf.ts";
import { until } from "../linux/wait.ts";
import type { Bind } from "../machines/record/caches.ts";
import { BUSYBOX, RUNNER_FOLDER } from "../machines/record/helper_root.ts";
import type { HelperRoot } from "../machines/record/plan.ts";
import { withChroots } from "./with_chroots.ts";

/**
 * Makes the helper root where it is missing; other jobs that need it wait meanwhile. Returns a function that gives it as it
 * is at each call, since maintenance may replace it until a lease names it.
 *
 * @param job Null where a person calls.
 * @throws {Failure} where it cannot be made, lacks something, or the job needs a gitlab-runner that nothing has.
 */
export async function ensureHelperRoot(
  host: Host,
  config: Config,
  job: Job | null,
): Promise<() => Promise<HelperRoot>> {
  const name = config.helper as ChrootName;
  const rootAt = async (path: string) => {
    await refuseIncomplete(host, name, path);
    const runner = job === null ? null : await findRunner(host, config, job, path);
    return { path, runner, binds: await caBinds(host, path) };
  };
  const made = await lookUpTree(host, config.store, name);
  let root = await rootAt(made?.path ?? await makeHelper(host, config, name));
  return async () => {
    if (await host.files.lstat(root.path) !== null) return root;
    root = await rootAt((await currentTree(host, config.store, name)).path);
    return root;
  };
}

async function makeHelper(host: Host, config: Config, name: ChrootName): Promise<string> {
  if (await findDefinition(host, config, name) === null) {
    throw refused(
      `Cannot use helper = "${name}": there is no such chroot`,
      `Write its definition, or remove the setting: the chroot "${HELPER_NAME}" is made when a job needs it`,
    );
  }
  const context = { host, config: () => Promise.resolve(config), configPath: undefined };
  return await withChroots(context, async (chroots) => {
    let isTold = false;
    const made = await until(host, { interval: 1000, signal: chroots.interrupt }, async () => {
      const lock = await tryLock(host, config.store, name);
      if (lock === null) {
        if (!isTold) host.log.info(`Waiting for another process, which makes chroot ${name}`);
        isTold = true;
        return null;
      }
      try {
        // Another process may have made it meanwhile.
        if (await lookUpTree(host, config.store, name) === null) {
          host.log.info(
            `Making chroot ${name}, in which checkout, caches and artifacts run: once, and it takes a minute or two`,
          );
          await create(chroots, name, undefined);
        }
      } finally {
        lock.release();
      }
      return await lookUpTree(host, config.store, name);
    });
    if (made !== null) return made.path;
    throw hostFailure(`Cannot make chroot ${name}: interrupted`);
  });
}

/** What a helper root must have, by the kind of file: the machine's own folders and files are mounted on most of them. */
const NEEDED = {
  directory: ["builds", "cache", "dev", RUNNER_FOLDER, "proc", "root", "run", "sys", "tmp"],
  file: [
    ...["etc/group", "etc/hosts", "etc/passwd", "etc/resolv.conf"],
    ...["usr/bin/bash", "usr/bin/git", "usr/bin/nsenter", "usr/bin/setpriv"],
    BUSYBOX,
  ],
} as const;

async function refuseIncomplete(host: Host, name: ChrootName, tree: string): Promise<void> {
  const lacks = async (kind: "directory" | "file", path: string) =>
    (await host.files.lstat(join(tree, path)))?.kind === kind ? [] : [`/${path}`];
  const missing = (await Promise.all([
    ...NEEDED.directory.map((path) => lacks("directory", path)),
    ...NEEDED.file.map((path) => lacks("file", path)),
  ])).flat();
  if (missing.length > 0) {
    throw refused(
      `Cannot use chroot ${name} as the helper root: it lacks ${missing.join(", ")}`,
      'Install git and busybox-static by its definition, and create the rest: setup = ["mkdir -p /builds /cache"]',
    );
  }
  if (await isStaticProgram(host, join(tree, BUSYBOX))) return;
  throw refused(
    `Cannot use chroot ${name} as the helper root: its /${BUSYBOX} is not a static program`,
    'Install one by its definition: packages = ["busybox-static"]',
  );
}

async function findRunner(
  host: Host,
  config: Config,
  { movesFiles }: Job,
  tree: string,
): Promise<string | null> {
  const program = await findRunnerProgram(host, config.gitlab_runner);
  if (program !== null || !movesFiles) return program;
  const own = ["usr/bin", "usr/local/bin"].map((folder) =>
    host.files.lstat(join(tree, folder, "gitlab-runner"))
  );
  if ((await Promise.all(own)).some((stat) => stat !== null)) return null;
  throw runnerMissing("neither the host nor the helper root has one");
}

/** Where distributions have the certificates of authorities in one file: Debian and Arch, Fedora, SUSE. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
];

/** The host may trust more authorities than the helper root, such as the one of a GitLab server at home. */
async function caBinds(host: Host, tree: string): Promise<Bind[]> {
  const [from] = (await Promise.all(BUNDLES.map((path) => host.files.real(path))))
    .filter((path) => path !== null);
  const kinds = await Promise.all(
    BUNDLES.map(async (path) => [path, (await host.files.lstat(join(tree, path)))?.kind] as const),
  );
  const to = kinds.filter(([, kind]) => kind === "file");
  if (from === undefined) return [];
  return to.map(([path]) => ({ from, to: path, readOnly: true, keepsDiskOwners: false }));
}
