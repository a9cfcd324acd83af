/** The limits of a job that has services, and those of its services. */

import { LEAST_DISK } from "../config/checks.ts";
import type { Config, Limits } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { readKernel } from "../linux/proc.ts";
import { parseSize } from "../text/size.ts";

/** Limits of machines that belong together. */
export interface LimitsWithServices {
  readonly job: Limits;
  /** Those of each service. */
  readonly services: Limits;
}

/**
 * Returns the limits of a job with services: a service has half of the job's, unless `service_limits` says otherwise. Where
 * limits are shared, the job has half of its own, and all services together have the other half at most.
 *
 * @param limits What the job would have without services.
 * @param count How many services it has, at least one.
 */
export async function limitsWithServices(
  host: Host,
  { service_limits, limits_shared }: Pick<Config, "service_limits" | "limits_shared">,
  limits: Limits,
  count: number,
): Promise<LimitsWithServices> {
  const half = partOf(limits, 2);
  const chosen = defined(service_limits);
  if (!limits_shared) return { job: limits, services: { ...half, ...chosen } };
  const share = partOf(limits, 2 * count);
  if (Object.keys(chosen).length === 0) return { job: half, services: share };
  return { job: half, services: lower(share, { ...share, ...chosen }, await totalsOf(host)) };
}

function defined(limits: Config["service_limits"]): Partial<Limits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** Returns one of so many equal parts of limits, rounded down, but nothing that a machine could not have. */
function partOf(limits: Limits, parts: number): Limits {
  const weight = (number: number) => Math.max(1, Math.floor(number / parts));
  const other = (limit: string, least = 1) => part(limit, parts, least);
  return {
    cpu_weight: weight(limits.cpu_weight),
    memory_high: other(limits.memory_high),
    memory_max: other(limits.memory_max),
    swap_max: other(limits.swap_max, 0),
    cpu_quota: other(limits.cpu_quota),
    io_weight: weight(limits.io_weight),
    tasks_max: other(limits.tasks_max),
    disk_max: other(limits.disk_max, LEAST_DISK),
  };
}

function part(limit: string, parts: number, least: number): string {
  if (limit === "infinity") return limit;
  const percent = percentIn(limit);
  if (percent !== undefined) return `${Math.max(1, Math.floor(percent / parts))}%`;
  const bytes = Math.max(least, Math.floor((parseSize(limit) ?? 0) / parts));
  return /[KMGT]$/.test(limit) ? withUnit(bytes) : String(bytes);
}

/** Returns a size in the largest unit of which it is a multiple. */
function withUnit(bytes: number): string {
  const unit = ["T", "G", "M", "K"].find((unit) => bytes % (parseSize(`1${unit}`) ?? 1) === 0);
  return unit === undefined ? String(bytes) : `${bytes / (parseSize(`1${unit}`) ?? 1)}${unit}`;
}

function percentIn(limit: string): number | undefined {
  const [, percent] = limit.match(/^(\d+)%$/) ?? [];
  return percent === undefined ? undefined : Number(percent);
}

/** What 100 % of a limit is. */
interface Totals {
  /** Bytes; also of swap, since systemd.resource-control(5) counts a share of swap in the host's memory. */
  readonly memory: number;
  readonly tasks: number;
}

async function totalsOf(host: Host): Promise<Totals> {
  const kernel = "/proc/sys/kernel";
  const text = await readKernel(
    host,
    "/proc/meminfo",
    `${kernel}/pid_max`,
    `${kernel}/threads-max`,
  );
  const [, kilobytes] = text.match(/^MemTotal: +(\d+) kB$/m) ?? [];
  const tasks = text.match(/^\d+$/mg) ?? [];
  return { memory: Number(kilobytes) * 1024, tasks: Math.min(...tasks.map(Number)) };
}

/** Returns the lower one of each two limits; of those that cannot be compared, the first. */
function lower(a: Limits, b: Limits, { memory, tasks }: Totals): Limits {
  const lowerOf = (one: string, other: string, total: number) =>
    amountOf(other, total) < amountOf(one, total) ? other : one;
  return {
    cpu_weight: Math.min(a.cpu_weight, b.cpu_weight),
    memory_high: lowerOf(a.memory_high, b.memory_high, memory),
    memory_max: lowerOf(a.memory_max, b.memory_max, memory),
    swap_max: lowerOf(a.swap_max, b.swap_max, memory),
    cpu_quota: lowerOf(a.cpu_quota, b.cpu_quota, 1),
    io_weight: Math.min(a.io_weight, b.io_weight),
    tasks_max: lowerOf(a.tasks_max, b.tasks_max, tasks),
    disk_max: lowerOf(a.disk_max, b.disk_max, Infinity),
  };
}

function amountOf(limit: string, total: number): number {
  const percent = percentIn(limit);
  return percent === undefined ? parseSize(limit) ?? Infinity : percent * total / 100;
}
