/** Ways out of a machine, as far as they may be tried where the kernel is that of this machine. */

import { onEachHost } from "../hosts/shared.ts";
import { newJob } from "../hosts/site.ts";
import { lendChroot, withOwn } from "../integration/own.ts";
import { skip } from "../skip.ts";
import { groundOn } from "./ground.ts";
import { mappingSite } from "./mapping.ts";
import { tryAll } from "./trial.ts";
import { WAYS } from "./ways.ts";

const NAME = "no way leads out of a machine";

onEachHost(NAME, async (site) => {
  if (Deno.build.arch !== "x86_64") return skip(NAME, "the programs know x86-64's system calls");
  await withOwn(site, {}, async (own) => {
    await lendChroot(own, site); // a store that does not hold the bait
    const mapping = await mappingSite(NAME, own);
    if (mapping === null) return;
    const bait = `${site.host.store}/.tests/bait-${newJob()}`;
    await tryAll(groundOn(mapping, bait), WAYS.filter(({ where }) => where === "anywhere"));
  });
}, ["systemd"]);
