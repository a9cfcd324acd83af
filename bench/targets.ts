/** The targets: what the program may cost, given what the same work costs by hand in the same run. */

import { type Call, CALLS, type Kind, STAGES } from "./driver.ts";
import type { Samples } from "./samples.ts";

/** Names of steps that are no calls of a job. */
export const STEP = {
  /** The program starts as for a script of a job, and prints its version instead. */
  start: "start",
  /** An empty program of the same form. */
  empty: "empty program",
  /** A whole job. */
  job: "job",
  /** A job without the starts of the driver's client. */
  withoutClient: "job without client",
  client: "client",
  crowd: "crowd, per job",
} as const;

/** A driver of the measured program. */
export interface Ours {
  readonly label: string;
  /** The form of the installed program; also the group of its starts. */
  readonly form: string;
  readonly kind: Kind;
}

/** A median with its floor and its limit, in milliseconds. */
export interface Target {
  readonly group: string;
  readonly step: string;
  readonly ours: number;
  readonly floor: number;
  readonly ratio: number;
  readonly limit: number;
  readonly met: boolean;
}

/** Milliseconds that the creation of a disk of the machine's own may take. */
const DISK = 60;

/**
 * Returns the targets of whatever was measured.
 *
 * @param disk Whether each machine has a disk of its own; the floors have none.
 */
export function targets(samples: Samples, ours: readonly Ours[], disk: boolean): Target[] {
  const forms = [...new Set(ours.map(({ form }) => form))];
  const all = [
    ...forms.map((form) => startTarget(samples, form)),
    ...ours.flatMap((driver) => jobTargets(samples, driver, disk)),
    ...ours.flatMap((driver) => aliveTargets(samples, driver)),
  ];
  return all.filter(({ ratio }) => Number.isFinite(ratio));
}

function startTarget(samples: Samples, form: string): Target {
  const empty = samples.ms(form, STEP.empty);
  return target(samples, form, STEP.start, empty, 1.15 * empty);
}

function jobTargets(samples: Samples, driver: Ours, disk: boolean): Target[] {
  const { label, form, kind } = driver;
  const empty = samples.ms(form, STEP.empty);
  const calls = CALLS.map((call) => {
    const raw = call === "config" ? 0 : samples.ms(`raw ${kind}`, call);
    const more = disk && call === "prepare" ? DISK : 0;
    return target(samples, label, call, raw + empty, limitOf(call, kind, raw, empty) + more);
  });
  const sum = (key: "floor" | "limit") =>
    calls.reduce((sum, { step, [key]: ms }) => sum + ms * (step === "run" ? STAGES.length : 1), 0);
  return [...calls, target(samples, label, STEP.job, sum("floor"), sum("limit"))];
}

function limitOf(call: Call, kind: Kind, raw: number, empty: number): number {
  switch (call) {
    case "config":
      return empty + 8;
    case "prepare":
      return kind === "booted" ? 1.12 * (raw + empty) : raw + empty + 40;
    case "run":
      return empty + 15;
    case "cleanup":
      return empty + 30;
  }
}

/** Numbers of machines that are alive while another one is prepared. */
export const ALIVE = [1, 8, 64] as const;

/** Returns the step of a prepare beside other machines. */
export function aliveStep(count: number): string {
  return `prepare, ${count} alive`;
}

/** How much longer a prepare may take beside many machines than beside one. */
const GROWTH = 1.15;

function aliveTargets(samples: Samples, { label }: Ours): Target[] {
  const [first, ...others] = ALIVE;
  const floor = samples.ms(label, aliveStep(first));
  return others.map((count) => target(samples, label, aliveStep(count), floor, GROWTH * floor));
}

/** Groups of the benchmark of images, and the step of a job whose image has changed. */
export const PULLED = {
  chroot: "chroot",
  present: "image, if-not-present",
  always: "image, always",
  request: "request by hand",
  changed: "image, 1 MB changed",
  step: "config to script",
} as const;

/** Milliseconds that the start from an image may take longer than from a chroot. */
const IMAGE = 20;

/** Milliseconds from the config stage to the end of the first script of a job whose image has a new layer of 1 MB. */
const CHANGED_IMAGE = 1000;

/** Returns the targets of pulled images. */
export function imageTargets(samples: Samples): Target[] {
  const chroot = samples.ms(PULLED.chroot, "prepare");
  const asked = chroot + samples.ms(PULLED.request, "request");
  return [
    target(samples, PULLED.present, "prepare", chroot, chroot + IMAGE),
    target(samples, PULLED.always, "prepare", asked, asked + IMAGE),
    target(samples, PULLED.changed, PULLED.step, CHANGED_IMAGE, CHANGED_IMAGE),
  ];
}

/** Groups of the benchmark of services. */
export const SERVICES = { without: "without services", one: "one service" } as const;

/** Milliseconds by which a job may be ready later with a service that listens at once. */
const SERVICE = 150;

/** Returns the target of a job with a service. */
export function serviceTarget(samples: Samples): Target {
  const without = samples.ms(SERVICES.without, "prepare");
  return target(samples, SERVICES.one, "prepare", without, without + SERVICE);
}

/** Returns the ratio of chroot-create to mmdebstrap by hand. */
export function createTarget(samples: Samples): Target {
  const floor = samples.ms(CREATE.raw, CREATE.step);
  return target(samples, CREATE.ours, CREATE.step, floor, 1.1 * floor);
}

/** Groups of chroot-create's samples, and the step that both have. */
export const CREATE = { ours: "ours", raw: "raw mmdebstrap", step: "chroot-create" } as const;

function target(
  samples: Samples,
  group: string,
  step: string,
  floor: number,
  limit: number,
): Target {
  const ours = samples.ms(group, step);
  return { group, step, ours, floor, ratio: ours / floor, limit, met: ours <= limit };
}
