/** Installs a Debian or Ubuntu system in an empty tree, by mmdebstrap or debootstrap. */

import type { ArchiveSettings } from "../../config/settings.ts";
import { hostFailure, messageOf } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { hasProgram, runTool } from "../../linux/tool.ts";
import type { ChrootPaths } from "../generations/paths.ts";
import type { Tool } from "./suite.ts";

/**
 * What a machine needs to boot, a job to fetch its sources, and maintenance to update the chroot.
 * apt is required in Debian, but not in Ubuntu.
 */
const PACKAGES = ["apt", "git", "ca-certificates", "dbus", "systemd", "systemd-sysv", "python3"];

/** What is installed, and how. */
export interface Bootstrap {
  readonly suite: string;
  readonly tool: Tool;
  readonly mirror: ArchiveSettings["mirror"];
  readonly components: readonly string[];
  /** In addition to the usual ones. */
  readonly packages: readonly string[];
  readonly keyring: string | undefined;
}

/** Installs a system in an empty tree. */
export async function bootstrapTree(
  host: Host,
  bootstrap: Bootstrap,
  paths: ChrootPaths,
  interrupt: AbortSignal,
): Promise<void> {
  const eatmydata = bootstrap.tool === "debootstrap" && await hasProgram(host, "eatmydata");
  const argv = bootstrapArgv(bootstrap, paths.tree, eatmydata);
  // debootstrap would pass it to programs in the tree, where that folder does not exist.
  const scratch = bootstrap.tool === "mmdebstrap" ? { TMPDIR: paths.scratch } : {};
  try {
    await runTool(host, argv, scratch, interrupt);
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure(
      messageOf(error),
      `Look at its last lines: does the mirror have the suite ${bootstrap.suite}, and can it be reached? ` +
        "NO_PUBKEY: this host's keys are older than the suite, and keyring in a definition names newer ones",
      error,
    );
  }
}

/**
 * Returns the command line of the tool.
 *
 * @param eatmydata Whether to omit fsync: the whole tree is synced at the end of a build.
 */
export function bootstrapArgv(bootstrap: Bootstrap, tree: string, eatmydata: boolean): Argv {
  const { suite, tool, mirror, components, packages, keyring } = bootstrap;
  const common = [
    "--variant=minbase",
    `--include=${[...new Set([...PACKAGES, ...packages])].join(",")}`,
    ...(components.length === 0 ? [] : [`--components=${components.join(",")}`]),
    ...(keyring === undefined ? [] : [`--keyring=${keyring}`]),
  ];
  const what = [suite, tree, ...(mirror === undefined ? [] : [mirror])] as const;
  // Otherwise mmdebstrap would guess the format from the path.
  if (tool === "mmdebstrap") return ["mmdebstrap", ...common, "--format=directory", ...what];
  // Without the option, debootstrap only warns where it cannot check the signature.
  const argv: Argv = ["debootstrap", ...common, "--force-check-gpg", ...what];
  return eatmydata ? ["eatmydata", ...argv] : argv;
}
