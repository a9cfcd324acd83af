/** What a booted machine leaves out, since it would find nothing to do: each is a process that it waits for. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { INSIDE } from "../record/paths.ts";

/** What is not started in a machine. */
export interface BootMasks {
  readonly units: readonly string[];
  /** As systemd.generator(7) has them. */
  readonly generators: readonly string[];
}

/** A machine that does not boot starts nothing by itself. */
export const NO_BOOT_MASKS: BootMasks = { units: [], generators: [] };

/** They keep state for a next boot, or wait for a person. */
const UNITS = [
  "console-getty.service",
  "ldconfig.service",
  "systemd-firstboot.service",
  "systemd-hwdb-update.service",
  "systemd-journal-flush.service",
];

/** What it says of file systems that are mounted already is what this unit applies. */
const FSTAB = ["etc/fstab", "systemd-remount-fs.service"] as const;

/**
 * They write units for what a machine never has: a boot loader, a swap partition to wake up from, a disk
 * with a table of partitions, a TPM, a command in the kernel's command line, which is ours; and for a getty on
 * its console, which is not started.
 */
const GENERATORS = [
  "systemd-bless-boot-generator",
  "systemd-getty-generator",
  "systemd-gpt-auto-generator",
  "systemd-hibernate-resume-generator",
  "systemd-run-generator",
  "systemd-tpm2-generator",
];

/** They write units for what stands in a table: crypttab(5), veritytab(5), integritytab(5). No machine has the disks. */
const TABLES = [
  ["etc/crypttab", "systemd-cryptsetup-generator"],
  ["etc/veritytab", "systemd-veritysetup-generator"],
  ["etc/integritytab", "systemd-integritysetup-generator"],
] as const;

/** More bytes than a table without entries has. */
const MAX_TABLE_SIZE = 4096;

/**
 * What a machine from a chroot leaves out. What there could be something to do for stays.
 *
 * @param host The outside.
 * @param tree The chroot's tree.
 * @returns Units and generators.
 */
export async function bootMasksFor(host: Host, tree: string): Promise<BootMasks> {
  const isOwn = await host.files.real(join(tree, "etc")) ===
    join(await host.files.real(tree) ?? tree, "etc");
  const isIdle = async ([table]: readonly [string, string]) =>
    isOwn && await isEmpty(host, join(tree, table));
  const [hasNoMounts, ...haveNone] = await Promise.all([FSTAB, ...TABLES].map(isIdle));
  return {
    units: hasNoMounts ? [...UNITS, FSTAB[1]] : UNITS,
    generators: [
      ...GENERATORS,
      ...TABLES.filter((_, place) => haveNone[place]).map(([, generator]) => generator),
    ],
  };
}

/** Whether a table has no entry. A link could lead to a file of the host: who has one, may have entries. */
async function isEmpty(host: Host, table: string): Promise<boolean> {
  const stat = await host.files.lstat(table);
  if (stat === null) return true;
  if (stat.kind !== "file" || stat.size > MAX_TABLE_SIZE) return false;
  const text = await host.files.read(table) ?? "";
  return text.split("\n").every((line) => /^\s*(?:#|$)/.test(line));
}

/**
 * Lays out the masks of generators, where the machine sees them.
 *
 * @param host The outside.
 * @param stage The folder that the machine sees, which exists.
 * @param idle What is masked.
 */
export async function writeGeneratorMasks(host: Host, stage: string, { generators }: BootMasks): Promise<void> {
  if (generators.length === 0) return;
  const folder = join(stage, MASKS_FOLDER);
  await host.files.makeDirectory(folder, 0o755);
  const lay = (generator: string) => host.files.symlink("/dev/null", join(folder, generator));
  await Promise.all(generators.map(lay));
}

const MASKS_FOLDER = "generators";

/**
 * Has the machine's systemd look there first. It hands nothing of its own environment on to what it starts.
 *
 * @param idle What is masked.
 * @returns nspawn's options: the variable is one of systemd(1).
 */
export function generatorMaskOptions({ generators }: BootMasks): string[] {
  // What is empty stands for all other places.
  return generators.length === 0 ? [] : [`--setenv=SYSTEMD_GENERATOR_PATH=${INSIDE}/${MASKS_FOLDER}:`];
}
