/**
 * The suite of a chroot: its name, the tool that installs it, and the keys that prove its archive.
 */

import { basename } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { ToolChoice } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram } from "../../linux/tool.ts";

/** A suite, and why it was chosen. */
export interface Suite {
  readonly name: string;
  readonly because: string;
}

/** The names of suites that were given, best first. */
export interface SuiteNames {
  readonly option?: string | undefined;
  readonly definition?: string | undefined;
  readonly playbook?: string | undefined;
  /** The suite that the chroot was made from before. */
  readonly record?: string | undefined;
}

const SHAPE = /^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$/;

/** debootstrap's folder of scripts: one for each suite. */
const SCRIPTS = "/usr/share/debootstrap/scripts";

type Vendor = "Debian" | "Ubuntu";

/** Suites for hosts that have only mmdebstrap, which does not list them in a file. */
const KNOWN: Readonly<Record<Vendor, readonly string[]>> = {
  Debian: (
    "oldoldstable oldstable stable testing unstable sid experimental " +
    "stretch buster bullseye bookworm trixie forky duke"
  ).split(" "),
  Ubuntu: "trusty xenial bionic focal jammy noble oracular plucky questing resolute devel".split(
    " ",
  ),
};

/** The file with an archive's keys, and the packages that install it on various hosts. */
const KEYRINGS: Readonly<Record<Vendor, { readonly file: string; readonly packages: string }>> = {
  Debian: {
    file: "/usr/share/keyrings/debian-archive-keyring.gpg",
    packages: "debian-archive-keyring (debian-keyring on Fedora)",
  },
  Ubuntu: {
    file: "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    packages: "ubuntu-archive-keyring or ubuntu-keyring",
  },
};

/**
 * Returns the suite of a chroot: of the option, else of the definition, else of the playbook, else
 * the one that the chroot was made from before, else the chroot's own name if that is a suite, else
 * `unstable`.
 *
 * @param name `debian-bookworm` counts as bookworm.
 * @throws {Failure} where the name cannot be that of a suite.
 */
export async function chooseSuite(
  host: Host,
  name: ChrootName,
  sources: SuiteNames,
): Promise<Suite> {
  const { option, definition, playbook, record } = sources;
  if (option !== undefined) return checked(option, "given by --suite");
  if (definition !== undefined) return checked(definition, "given by its definition");
  if (playbook !== undefined) return checked(playbook, "given by its playbook");
  if (record !== undefined) return checked(record, "as before");
  for (const candidate of [name, name.replace(/^(debian|ubuntu)-/, "")]) {
    if (await isSuite(host, candidate)) {
      return { name: candidate, because: "after the chroot's name" };
    }
  }
  return { name: "unstable", because: "the default; --suite names another" };
}

function checked(name: string, because: string): Suite {
  if (SHAPE.test(name) && !name.includes("..")) return { name, because };
  throw refused(
    `Cannot use suite ${JSON.stringify(name)}, ${because}: it is not the name of a suite`,
    "Name a suite, like bookworm, noble or unstable",
  );
}

async function isSuite(host: Host, name: string): Promise<boolean> {
  if (Object.values(KNOWN).flat().includes(name)) return true;
  if (!SHAPE.test(name) || name.endsWith("-common")) return false; // a part that scripts share
  return (await host.files.stat(`${SCRIPTS}/${name}`))?.kind === "file";
}

/**
 * Refuses a suite whose archive this host cannot authenticate: the build would fail late, or trust
 * any server.
 *
 * @throws {Failure} that names the package with the keys.
 */
export async function requireKeyring(host: Host, suite: string): Promise<void> {
  const vendor = await vendorOf(host, suite);
  if (vendor === null) return;
  const { file, packages } = KEYRINGS[vendor];
  if (await host.files.stat(file) !== null) return;
  throw refused(
    `Cannot make a chroot from ${suite}: the keys of ${vendor}'s archive are missing`,
    `Install the package ${packages}`,
  );
}

/**
 * Refuses a suite whose mirror mmdebstrap does not know: it would look for the suite on Debian's.
 *
 * @throws {Failure} that names the package with the mirror.
 */
export async function requireKnownMirror(host: Host, suite: string): Promise<void> {
  if (await vendorOf(host, suite) !== "Ubuntu") return;
  for (const file of [DISTRO_INFO, `${SCRIPTS}/${suite}`]) {
    if (await host.files.stat(file) !== null) return;
  }
  throw refused(
    `Cannot make a chroot from ${suite}: mmdebstrap does not know its mirror`,
    "Install the package distro-info-data, or set mirror",
  );
}

/** The releases of Ubuntu, as its tools know them. */
const DISTRO_INFO = "/usr/share/distro-info/ubuntu.csv";

/** Returns the vendor of a suite. debootstrap's scripts of one vendor are links to one script. */
async function vendorOf(host: Host, suite: string): Promise<Vendor | null> {
  if (KNOWN.Debian.includes(suite)) return "Debian";
  if (KNOWN.Ubuntu.includes(suite)) return "Ubuntu";
  const script = basename(await host.files.real(`${SCRIPTS}/${suite}`) ?? "");
  return script === "gutsy" ? "Ubuntu" : null;
}

/** A program that installs a suite in a tree. */
export type Tool = Exclude<ToolChoice, "auto">;

/**
 * Returns the tool of the configuration, else mmdebstrap where it is installed, else debootstrap.
 *
 * @throws {Failure} where it is not installed.
 */
export async function chooseTool(host: Host, choice: ToolChoice): Promise<Tool> {
  if (choice !== "auto") return await requireProgram(host, choice);
  return await requireProgram(host, "mmdebstrap", "debootstrap");
}
