/** Which suite a chroot is made from, by which tool, and whose keys prove it. */

import { basename } from "@std/path/posix";
import type { ToolChoice } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { requireProgram } from "../../linux/tool.ts";

/** A suite, and why it is that one. */
export interface Suite {
  readonly name: string;
  readonly because: string;
}

/** Who may name a suite, best first. */
export interface SuiteNames {
  readonly option?: string | undefined;
  readonly definition?: string | undefined;
  readonly playbook?: string | undefined;
  /** What the chroot was made from before. */
  readonly record?: string | undefined;
}

const SHAPE = /^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$/;

/** Where debootstrap keeps what it knows: one script a suite. */
const SCRIPTS = "/usr/share/debootstrap/scripts";

type Vendor = "Debian" | "Ubuntu";

/** Suites for hosts that have mmdebstrap alone, whose own list is no file. */
const KNOWN: Readonly<Record<Vendor, readonly string[]>> = {
  Debian: (
    "oldoldstable oldstable stable testing unstable sid experimental " +
    "stretch buster bullseye bookworm trixie forky duke"
  ).split(" "),
  Ubuntu: "trusty xenial bionic focal jammy noble oracular plucky questing resolute devel".split(
    " ",
  ),
};

/** The file that proves an archive, and the packages that bring it on various hosts. */
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
 * The suite of a chroot: the option, else the definition, else the playbook, else what it was made
 * from before, else its own name where that is one, else `unstable`.
 *
 * @param host The outside.
 * @param name The chroot; `debian-bookworm` means bookworm.
 * @param sources Who may name one.
 * @returns The suite.
 * @throws {Failure} where what is named can be none.
 */
export async function chooseSuite(
  host: Host,
  name: ChrootName,
  sources: SuiteNames,
): Promise<Suite> {
  const { option, definition, playbook, record } = sources;
  if (option !== undefined) return checked(option, "as --suite says");
  if (definition !== undefined) return checked(definition, "as its definition says");
  if (playbook !== undefined) return checked(playbook, "as its playbook says");
  if (record !== undefined) return checked(record, "as before");
  for (const candidate of [name, name.replace(/^(debian|ubuntu)-/, "")]) {
    if (await isSuite(host, candidate)) return { name: candidate, because: "as its name says" };
  }
  return { name: "unstable", because: "as nothing names another; --suite would" };
}

function checked(name: string, because: string): Suite {
  if (SHAPE.test(name) && !name.includes("..")) return { name, because };
  throw refused(
    `Cannot use suite ${JSON.stringify(name)}, ${because}: it is no suite's name`,
    "A suite is called like bookworm, noble or unstable",
  );
}

async function isSuite(host: Host, name: string): Promise<boolean> {
  if (Object.values(KNOWN).flat().includes(name)) return true;
  if (!SHAPE.test(name) || name.endsWith("-common")) return false; // a part of scripts
  return (await host.files.stat(`${SCRIPTS}/${name}`))?.kind === "file";
}

/**
 * Refuses a suite whose archive cannot be proved on this host: the build would fail late, or trust
 * anybody.
 *
 * @param host The outside.
 * @param suite The suite.
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
 * Refuses a suite whose mirror mmdebstrap cannot tell: it would look for it at Debian's.
 *
 * @param host The outside.
 * @param suite The suite.
 * @throws {Failure} that names the package that tells.
 */
export async function requireKnownMirror(host: Host, suite: string): Promise<void> {
  if (await vendorOf(host, suite) !== "Ubuntu") return;
  for (const file of [DISTRO_INFO, `${SCRIPTS}/${suite}`]) {
    if (await host.files.stat(file) !== null) return;
  }
  throw refused(
    `Cannot make a chroot from ${suite}: mmdebstrap does not know where that is`,
    "Install the package distro-info-data, or set mirror",
  );
}

/** Releases of Ubuntu, as its tools know them. */
const DISTRO_INFO = "/usr/share/distro-info/ubuntu.csv";

/** Debootstrap's scripts of one vendor are links to one of them. */
async function vendorOf(host: Host, suite: string): Promise<Vendor | null> {
  if (KNOWN.Debian.includes(suite)) return "Debian";
  if (KNOWN.Ubuntu.includes(suite)) return "Ubuntu";
  const script = basename(await host.files.real(`${SCRIPTS}/${suite}`) ?? "");
  return script === "gutsy" ? "Ubuntu" : null;
}

/** What makes chroots. */
export type Tool = Exclude<ToolChoice, "auto">;

/**
 * The tool that makes a chroot.
 *
 * @param host The outside.
 * @param choice What the configuration says.
 * @returns mmdebstrap where it is installed, unless another is wanted.
 * @throws {Failure} where it is not installed.
 */
export async function chooseTool(host: Host, choice: ToolChoice): Promise<Tool> {
  if (choice !== "auto") return await requireProgram(host, choice);
  return await requireProgram(host, "mmdebstrap", "debootstrap");
}
