/** A Debian or Ubuntu system in an empty tree. */

import type { ArchiveSettings } from "../../config/settings.ts";
import { hostFailure, messageOf } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { ChrootPlaces } from "../generations/places.ts";
import type { Tool } from "./suite.ts";
import { hasProgram, runTool } from "../../linux/tool.ts";

/**
 * What a machine needs to boot, a job to fetch its sources, and maintenance to bring it up to date: apt is required
 * in Debian, and not in Ubuntu.
 */
const PACKAGES = ["apt", "git", "ca-certificates", "dbus", "systemd", "systemd-sysv", "python3"];

/** What a tree is filled with. */
export interface Bootstrap {
  readonly suite: string;
  readonly tool: Tool;
  readonly mirror: ArchiveSettings["mirror"];
  readonly components: readonly string[];
  /** Besides the usual ones. */
  readonly packages: readonly string[];
  readonly keyring: string | undefined;
}

/**
 * Fills an empty tree.
 *
 * @param host The outside.
 * @param bootstrap With what.
 * @param places Where.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} of the host where the tool fails.
 */
export async function bootstrapTree(
  host: Host,
  bootstrap: Bootstrap,
  places: ChrootPlaces,
  interrupt: AbortSignal,
): Promise<void> {
  const eatmydata = bootstrap.tool === "debootstrap" && await hasProgram(host, "eatmydata");
  const argv = bootstrapArgv(bootstrap, places.tree, eatmydata);
  // Debootstrap would hand it on into the tree, where there is no such folder.
  const scratch = bootstrap.tool === "mmdebstrap" ? { TMPDIR: places.scratch } : {};
  try {
    await runTool(host, argv, scratch, interrupt);
  } catch (error) {
    if (interrupt.aborted) throw error;
    throw hostFailure(
      messageOf(error),
      `Look at its last lines: does the mirror have the suite ${bootstrap.suite}, and can it be reached? ` +
        "NO_PUBKEY: this host's keys are older than the suite, and keyring in a definition names newer ones",
    );
  }
}

/**
 * The command line that fills a tree.
 *
 * @param bootstrap With what.
 * @param tree Where.
 * @param eatmydata Whether to go without fsync: the whole tree is synced at its end.
 * @returns The words.
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
  // A tree's name could look like that of a tarball.
  if (tool === "mmdebstrap") return ["mmdebstrap", ...common, "--format=directory", ...what];
  // Without the keys it would only warn, and trust anybody.
  const argv: Argv = ["debootstrap", ...common, "--force-check-gpg", ...what];
  return eatmydata ? ["eatmydata", ...argv] : argv;
}
