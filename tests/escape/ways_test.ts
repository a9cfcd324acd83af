/** Ways out of a machine, as far as they may be tried where the kernel is that of this machine. */

import { lendChroot, withOwn } from "../integration/own.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import { skip } from "../skip.ts";
import { groundOn } from "./ground.ts";
import { tryAll } from "./trial.ts";
import { WAYS } from "./ways.ts";

const NAME = "no way leads out of a machine";

onEachHost(NAME, async (site) => {
  if (Deno.build.arch !== "x86_64") return skip(NAME, "the programs know x86-64's system calls");
  const bait = `${site.host.store}/.tests/bait-${newJob()}`;
  const ways = WAYS.filter(({ where }) => where === "anywhere");
  await withOwn(site, {}, async (own) => {
    await lendChroot(own, site); // a store that does not hold the bait
    const mapping = await mapped(own) ? own : await site.onBtrfs();
    if (mapping === null) {
      return skip(NAME, "nothing here maps owners: util-linux 2.39, or btrfs, does");
    }
    await tryAll(groundOn(mapping, bait), ways);
  });
}, ["systemd"]);

/** Whether machines of that store have user ids of their own. */
async function mapped(site: Site): Promise<boolean> {
  const id = newJob();
  const prepared = await site.call(["prepare", CHROOT, "--id", id]);
  await site.call(["cleanup", "--id", id]);
  return prepared.code === 0 && !prepared.stderr.includes("no user namespace");
}
