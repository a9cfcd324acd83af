/** Collects what monitoring wants to know of a host: counters of the history, gauges of now. */

import { listChroots } from "../chroots/find/list.ts";
import type { Config } from "../config/settings.ts";
import type { Counts } from "../history/counts.ts";
import { historySize } from "../history/folder.ts";
import { type LastRun, readLastRun } from "../history/last_runs.ts";
import { countJobs } from "../history/totals.ts";
import { type Family, histogramFamily, type Sample } from "../history/view/prometheus.ts";
import type { Host } from "../host/host.ts";
import { listImages } from "../images/store/record.ts";
import { diskSpace } from "../linux/disk.ts";
import { countFolders } from "../machines/end/evict_caches.ts";
import { slotCount } from "../machines/network/address.ts";
import { firstIds } from "../machines/record/ids.ts";
import { leasesOfHost } from "../machines/record/lease.ts";
import { listMachines, type MachineEntry } from "../machines/report/list.ts";
import { VERSION } from "../version.ts";

/** Returns the metrics of this host. */
export async function collectMetrics(host: Host, config: Config): Promise<Family[]> {
  const { store } = config;
  const { counts, broken } = await countJobs(host, store);
  const [gc, maintenance] = [
    await readLastRun(host, store, "gc"),
    await readLastRun(host, store, "maintenance"),
  ];
  return [
    gauge("info", "The version of nspawn-runner.", [{ labels: { version: VERSION }, value: 1 }]),
    ...countFamilies(counts),
    gauge("history_broken_lines", "Lines of the last days' history that cannot be read.", broken),
    gauge("history_bytes", "Bytes of the history.", await historySize(host, store)),
    ...machineFamilies(await listMachines(host, store)),
    ...await poolFamilies(host, config),
    ...await diskFamilies(host, config),
    ...await storeFamilies(host, config),
    gauge("caches_bytes", "Bytes of caches and builds folders, as the last gc found them.", [
      ...(gc?.cacheBytes === undefined ? [] : [{ value: gc.cacheBytes }]),
    ]),
    ...lastRunFamilies({ gc, maintenance }),
  ];
}

function gauge(name: string, help: string, value: number | readonly Sample[]): Family {
  return {
    ...{ name, help, type: "gauge" },
    samples: typeof value === "number" ? [{ value }] : value,
  };
}

function counter(name: string, help: string, value: number | readonly Sample[]): Family {
  return { ...gauge(name, help, value), type: "counter" };
}

/** Each outcome has a value from the beginning, so that the first failure is an increase. */
const OUTCOMES = [
  ...["success", "failed", "out-of-memory", "timeout", "cancelled", "refused", "host", "lost"],
  "abandoned",
];

function countFamilies({ jobs, times, cpu, written, pulls }: Counts): Family[] {
  const outcomes = OUTCOMES.map((outcome) => ({
    labels: { outcome },
    value: jobs[outcome] ?? 0,
  }));
  return [
    counter("jobs_total", "Jobs that ended, by outcome.", outcomes),
    counter("job_cpu_seconds_total", "CPU time of ended jobs.", cpu),
    counter("job_written_bytes_total", "Bytes that ended jobs wrote to disks.", written),
    counter("pulls_total", "Images that were pulled for a job.", pulls),
    histogramFamily("job_seconds", "Time of jobs.", "job", times.job),
    histogramFamily("prepare_seconds", "Time of prepare.", "prepare", times.prepare),
    histogramFamily("queue_seconds", "Wait for other starts.", "queue", times.queue),
    histogramFamily(
      "stage_overhead_seconds",
      "Time of a stage before its script.",
      "overhead",
      times.overhead,
    ),
    histogramFamily("cleanup_seconds", "Time of cleanup.", "cleanup", times.cleanup),
  ];
}

const STATES = ["preparing", "running", "ended", "held"] as const;

function machineFamilies(machines: readonly MachineEntry[]): Family[] {
  const samples = STATES.flatMap((state) =>
    ["job", "service"].map((kind) => ({
      labels: { kind, state },
      value: machines.filter((machine) =>
        machine.state === state && (machine.aliases.length > 0) === (kind === "service")
      ).length,
    }))
  );
  const memory = machines.reduce((sum, machine) => sum + (machine.memory ?? 0), 0);
  return [
    gauge("machines", "Machines, by state; of held ones only the files are kept.", samples),
    gauge("machines_memory_bytes", "Memory of all machines.", memory),
  ];
}

/** Machines of other stores of this host have ranges and slots as well. */
async function poolFamilies(host: Host, { store, network_range }: Config): Promise<Family[]> {
  const leases = await leasesOfHost(host, store);
  const ids = leases.filter(({ ids }) => ids !== null).length;
  const slots = leases.filter(({ network }) => network.kind === "private").length;
  return [
    gauge("id_ranges", "Ranges of user ids for machines.", [...firstIds()].length),
    gauge("id_ranges_used", "Ranges of user ids that machines have.", ids),
    gauge("network_slots", "Private networks for machines.", slotCount(network_range)),
    gauge("network_slots_used", "Private networks that machines have.", slots),
  ];
}

async function diskFamilies(host: Host, { store, disk_reserve }: Config): Promise<Family[]> {
  const reserve = gauge(
    "store_reserve_bytes",
    "Bytes below which no machine starts.",
    disk_reserve,
  );
  const space = await diskSpace(host, store);
  if (space === null) return [reserve];
  const { free, size, freeInodes } = space;
  return [
    reserve,
    gauge("store_free_bytes", "Free bytes of the store's disk.", free),
    gauge("store_size_bytes", "Bytes of the store's disk.", size),
    gauge("store_free_files", "Files that can still be made on the store's disk.", [
      ...(freeInodes === null ? [] : [{ value: freeInodes }]),
    ]),
  ];
}

async function storeFamilies(host: Host, config: Config): Promise<Family[]> {
  const images = await listImages(host, config.store);
  const chroots = (await listChroots(host, config)).flatMap(({ name, made }) =>
    made === null ? [] : [{ labels: { chroot: name }, value: secondsOf(made) }]
  );
  return [
    gauge(
      "caches",
      "Caches and builds folders of projects.",
      await countFolders(host, config.store),
    ),
    gauge("images", "Pulled images.", images.length),
    gauge(
      "images_bytes",
      "Bytes of pulled images; shared layers count for each.",
      images.reduce((sum, { size }) => sum + size, 0),
    ),
    gauge("chroot_made_timestamp_seconds", "When the current generation was made.", chroots),
  ];
}

function lastRunFamilies(runs: Readonly<Record<string, LastRun | null>>): Family[] {
  const found = Object.entries(runs).flatMap(([command, run]) =>
    run === null ? [] : [{ labels: { command }, run }]
  );
  return [
    gauge(
      "last_run_timestamp_seconds",
      "When a command of a timer last ended.",
      found.map(({ labels, run }) => ({ labels, value: secondsOf(run.ended) })),
    ),
    gauge(
      "last_run_failed",
      "Whether something of that run failed, 1 or 0.",
      found.map(({ labels, run }) => ({ labels, value: run.failed ? 1 : 0 })),
    ),
  ];
}

function secondsOf(time: string): number {
  return Date.parse(time) / 1000;
}
