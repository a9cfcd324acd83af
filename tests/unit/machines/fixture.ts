/** Records that tests of machines start from. */

import type { MachineSettings } from "../../../src/config/settings.ts";
import type { Host } from "../../../src/host/host.ts";
import type { Lease } from "../../../src/machines/record/lease.ts";
import { treeAsLower } from "../../../src/machines/record/lower.ts";
import { machineName, serviceName } from "../../../src/machines/record/name.ts";
import { type MachinePaths, machinePaths } from "../../../src/machines/record/paths.ts";
import type { MachinePlan } from "../../../src/machines/record/plan.ts";
import { prepareHost } from "../../../src/machines/start/prepare_host.ts";
import { startMachine } from "../../../src/machines/start/start.ts";
import type { MachineSpec } from "../../../src/machines/nspawn/spec.ts";

/** Settings with values that are easy to find in command lines. */
export const SETTINGS: MachineSettings = {
  storage: "auto",
  tmp: "storage",
  limits: {
    cpu_weight: 50,
    memory_high: "80%",
    memory_max: "2G",
    swap_max: "1G",
    cpu_quota: "150%",
    io_weight: 20,
    tasks_max: "100",
    disk_max: "infinity",
  },
  seccomp: true,
  capabilities: undefined,
  devices: undefined,
  syscalls: undefined,
  nesting: false,
  boot: true,
  user: undefined,
  private_users: "off",
  network: "host",
  extra_hosts: [],
  binds: undefined,
  services: [],
  shell: "bash",
  prepare_timeout: 120,
};

/** Returns the plan of a plain machine for job 42 on an overlay. */
export function planOf(store: string, changes: Partial<MachinePlan> = {}): MachinePlan {
  return {
    name: machineName("42", undefined),
    store,
    tree: () =>
      Promise.resolve({
        name: "bookworm",
        path: `${store}/bookworm`,
        lower: treeAsLower(`${store}/bookworm`),
        user: "",
        environment: [],
        generation: 1,
        isImmutable: true,
        helper: null,
        process: null,
      }),
    owned: [],
    diskReserve: 0,
    settings: { ...SETTINGS, storage: "overlay", boot: false },
    job: {
      id: "42",
      server: undefined,
      url: undefined,
      watcher: "none",
      began: 0,
      timeout: undefined,
      lifetime: 3600,
      keepSeconds: 0,
      description: null,
    },
    folders: undefined,
    binds: [],
    networks: { network_range: "10.231.0.0/19", network_deny: [], network_allow: [] },
    ...changes,
  };
}

/** Starts a machine as prepare does. */
export async function start(host: Host, plan: MachinePlan, interrupt: AbortSignal): Promise<Lease> {
  return await startMachine(host, plan, await prepareHost(host, plan, interrupt), interrupt);
}

/** Returns the specification of a booted machine whose root is a folder. */
export function specOf(changes: Partial<MachineSpec> = {}): MachineSpec {
  const name = machineName("42", undefined);
  return {
    name,
    root: { options: ["--directory=/root"], mount: { script: "mount_root\n", args: [] } },
    helper: null,
    paths: machinePaths("/store", name),
    binds: [],
    devices: [],
    settings: SETTINGS,
    booted: true,
    bootMasks: { units: ["ldconfig.service"], generators: ["systemd-run-generator"] },
    ids: null,
    network: "host",
    resolvConf: null,
    link: null,
    lifetime: 5400,
    timezone: ["--timezone=off"],
    ...changes,
  };
}

/** Returns the lease of a machine that is being prepared. */
export function leaseOf(store: string, id: string, changes: Partial<Lease> = {}): Lease {
  return {
    version: 1,
    machine: machineName(id, undefined),
    store,
    host: null,
    boot: "b",
    created: "2030-01-01T00:00:00.000Z",
    began: "2030-01-01T00:00:00.000Z",
    deadline: "2030-01-02T00:00:00.000Z",
    deadlineUptime: null,
    job: id,
    server: null,
    timeout: null,
    runner: null,
    keep: 0,
    chroot: {
      name: "bookworm",
      path: `${store}/bookworm`,
      lower: treeAsLower(`${store}/bookworm`),
    },
    storage: "overlay",
    supervisor: "systemd",
    booted: true,
    shell: "bash",
    user: null,
    ids: null,
    layer: null,
    helper: null,
    network: { kind: "host" },
    diskMax: null,
    folders: [],
    cgroups: [],
    preparer: null,
    leader: null,
    held: null,
    services: [],
    service: null,
    description: null,
    ...changes,
  };
}

/** Returns the lease of a service of job `id`, whose program reports to the host. */
export function serviceLeaseOf(
  store: string,
  id: string,
  aliases: readonly string[],
  changes: Partial<Lease> = {},
  number = 1,
): Lease {
  const job = machineName(id, undefined);
  const role = { job, aliases, image: `${aliases[0]}:1`, reports: true };
  return leaseOf(store, id, {
    machine: serviceName(job, number),
    booted: false,
    service: { ...role, starter: { pid: 42, start: 5 } },
    ...changes,
  });
}

/** Returns the paths of a machine, all of them in one folder. */
export function pathsIn(folder: string): MachinePaths {
  return {
    lease: "",
    folder,
    disk: `${folder}/disk`,
    own: `${folder}/own`,
    shared: `${folder}/shared`,
    tools: `${folder}/tools`,
    stage: `${folder}/stage`,
    stageLock: `${folder}/stage.lock`,
    result: `${folder}/own/result`,
    failures: `${folder}/failures`,
    notes: `${folder}/notes`,
    log: `${folder}/log`,
  };
}
