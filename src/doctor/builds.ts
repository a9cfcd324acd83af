/** Checks whether chroots can be built by user ids of their own. */

import { messageOf } from "../failure.ts";
import { kernelFacts } from "../linux/proc.ts";
import { machineName } from "../machines/record/name.ts";
import { machinePaths } from "../machines/record/paths.ts";
import { canMapTree } from "../machines/storage/map_tree.ts";
import { supervisorOfHost } from "../machines/supervisor/choose.ts";
import { type Check, ok, unknown, weak } from "./finding.ts";

const TOPIC = "user namespaces of builds";

/** Whether the machines in which chroots are built have user ids of their own, which takes more than for jobs. */
export const buildNamespaces: Check = async (host, { store, private_users, trust_images }) => {
  if (private_users === "off") return []; // the finding of userNamespaces()
  if (await host.files.stat(store) === null) return [];
  const machine = machineName(`doctor-${host.pid()}`, undefined);
  const { folder } = machinePaths(store, machine);
  try {
    const facts = await kernelFacts(host);
    const cgroups = (await supervisorOfHost(host)).cgroupsFor(facts, machine);
    if (await canMapTree(host, { store, folder, cgroups, boot: facts.boot })) {
      return ok(TOPIC, "by nspawn");
    }
  } catch (error) {
    return unknown(TOPIC, messageOf(error));
  }
  return weak(
    TOPIC,
    trust_images
      ? "the programs of all images are root of the host while they are set up"
      : "images and tar files cannot be set up: their programs would be root of the host",
    "Put the store on ext4, XFS or btrfs, with Linux 5.12 and systemd 250 or newer",
  );
};
