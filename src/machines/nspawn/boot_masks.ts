/** Units and generators masked at boot: they are useless in a container, and each delays the boot. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { INSIDE } from "../record/channel.ts";

/** The names of masked units and generators. */
export interface BootMasks {
  readonly units: readonly string[];
  /** See systemd.generator(7). */
  readonly generators: readonly string[];
}

/** For plain machines, which start no units. */
export const NO_BOOT_MASKS: BootMasks = { units: [], generators: [] };

/**
 * They save state for the next boot, or wait for a person, which also delays the machine's end: the kernel closes the
 * inotify instance of each path unit in several milliseconds. `tmp.mount` would hide /tmp of the machine's storage. The
 * network is configured before the machine boots: services that manage it would take its address away, or wait for it.
 */
const UNITS = [
  "NetworkManager-wait-online.service",
  "NetworkManager.service",
  "connman-wait-online.service",
  "connman.service",
  "console-getty.service",
  "dhcpcd.service",
  "ifupdown-wait-online.service",
  "ldconfig.service",
  "networking.service",
  "systemd-ask-password-console.path",
  "systemd-ask-password-wall.path",
  "systemd-firstboot.service",
  "systemd-hwdb-update.service",
  "systemd-journal-catalog-update.service",
  "systemd-journal-flush.service",
  "systemd-networkd-wait-online.service",
  "systemd-networkd.service",
  "systemd-networkd.socket",
  "systemd-udev-load-credentials.service",
  "systemd-update-done.service",
  "tmp.mount",
];

/** A table, and the unit that applies its options to file systems that are already mounted. */
const FSTAB = ["etc/fstab", "systemd-remount-fs.service"] as const;

/**
 * The masked generators of systemd. They write units for things that a machine never has: a boot loader, hibernation,
 * a partitioned disk, a TPM, a download or a command in the kernel's command line, an offline update, a way for ssh(1)
 * of the host; and for the console's getty, which is masked.
 */
const GENERATORS = [
  "systemd-bless-boot-generator",
  "systemd-getty-generator",
  "systemd-gpt-auto-generator",
  "systemd-hibernate-resume-generator",
  "systemd-import-generator",
  "systemd-run-generator",
  "systemd-ssh-generator",
  "systemd-system-update-generator",
  "systemd-tpm2-generator",
];

/** Tables of disks, which no machine has, and the generators that write units for their entries. */
const TABLES = [
  ["etc/fstab", "systemd-fstab-generator"],
  ["etc/crypttab", "systemd-cryptsetup-generator"],
  ["etc/veritytab", "systemd-veritysetup-generator"],
  ["etc/integritytab", "systemd-integritysetup-generator"],
] as const;

/** A larger table is taken to have entries, in bytes. */
const MAX_TABLE_SIZE = 4096;

/** Returns what is masked in booted machines of a chroot: a generator stays where its table has entries. */
export async function bootMasksFor(host: Host, tree: string): Promise<BootMasks> {
  const isInTree = await host.files.real(join(tree, "etc")) ===
    join(await host.files.real(tree) ?? tree, "etc");
  const hasNoEntries = async ([table]: readonly [string, string]) =>
    isInTree && await isEmpty(host, join(tree, table));
  const [fstabIsEmpty, ...areEmpty] = await Promise.all([FSTAB, ...TABLES].map(hasNoEntries));
  return {
    units: fstabIsEmpty ? [...UNITS, FSTAB[1]] : UNITS,
    generators: [
      ...GENERATORS,
      ...TABLES.filter((_, index) => areEmpty[index]).map(([, generator]) => generator),
    ],
  };
}

/** Returns whether a table has no entries; false for a link, which could lead to a file of the host. */
async function isEmpty(host: Host, table: string): Promise<boolean> {
  const stat = await host.files.lstat(table);
  if (stat === null) return true;
  if (stat.kind !== "file" || stat.size > MAX_TABLE_SIZE) return false;
  const text = await host.files.read(table) ?? "";
  return text.split("\n").every((line) => /^\s*(?:#|$)/.test(line));
}

/** Creates links to /dev/null that mask generators, in the folder that the machine sees read-only. */
export async function writeGeneratorMasks(
  host: Host,
  stage: string,
  { generators }: BootMasks,
): Promise<void> {
  if (generators.length === 0) return;
  const folder = join(stage, MASKS_FOLDER);
  await host.files.makeDirectory(folder, 0o755);
  await Promise.all(generators.map((name) => host.files.symlink("/dev/null", join(folder, name))));
}

const MASKS_FOLDER = "generators";

/**
 * Returns nspawn's options that make the machine's systemd search the masks' folder first: systemd(1). systemd does
 * not pass the variable on to services.
 */
export function generatorMaskOptions({ generators }: BootMasks): string[] {
  // An empty entry at the end stands for the default folders.
  return generators.length === 0
    ? []
    : [`--setenv=SYSTEMD_GENERATOR_PATH=${INSIDE}/${MASKS_FOLDER}:`];
}
