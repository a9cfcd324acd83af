/** What tests of machines share. */

import type { MachineSettings } from "../../../src/config/settings.ts";
import type { Lease } from "../../../src/machines/lease.ts";
import { machineName } from "../../../src/machines/name.ts";
import { machinePaths } from "../../../src/machines/paths.ts";
import type { MachineSpec } from "../../../src/machines/spec.ts";

/** Settings that show in command lines. */
export const SETTINGS: MachineSettings = {
  storage: "auto",
  limits: { cpu_weight: 50, memory_high: "80%", memory_max: "2G", tasks_max: "100" },
  seccomp: true,
  boot: true,
  shell: "bash",
  prepare_timeout: 120,
  mirror: undefined,
  tool: "auto",
};

/** A machine with the plainest of roots. */
export function specOf(changes: Partial<MachineSpec> = {}): MachineSpec {
  const name = machineName("42", undefined);
  return {
    name,
    root: { options: ["--directory=/root"] },
    paths: machinePaths("/store", name),
    settings: SETTINGS,
    booted: true,
    nspawnVersion: 252,
    ...changes,
  };
}

/** A lease of a store, as prepare writes it. */
export function leaseOf(store: string, id: string, changes: Partial<Lease> = {}): Lease {
  return {
    version: 1,
    machine: machineName(id, undefined),
    store,
    boot: "b",
    created: "2030-01-01T00:00:00.000Z",
    job: id,
    chroot: { name: "bookworm", path: `${store}/bookworm` },
    storage: "overlay",
    supervisor: "systemd",
    booted: true,
    shell: "bash",
    cgroups: [],
    preparer: null,
    leader: null,
    ...changes,
  };
}
