/** Escapes from a machine that may be tried with the kernel of this machine. */

import { onEachHost } from "../hosts/shared.ts";
import { newJob } from "../hosts/site.ts";
import { linkChroot, withStore } from "../integration/store.ts";
import { skip } from "../skip.ts";
import { targetOn } from "./target.ts";
import { siteWithOwnIds } from "./own_ids.ts";
import { tryAll } from "./attempt.ts";
import { ESCAPES } from "./escapes.ts";

const NAME = "no escape from a machine succeeds";

onEachHost(NAME, async (site) => {
  if (Deno.build.arch !== "x86_64") return skip(NAME, "the programs know x86-64's system calls");
  await withStore(site, {}, async (own) => {
    await linkChroot(own, site); // in a store that does not contain the bait
    const mapping = await siteWithOwnIds(NAME, own);
    if (mapping === null) return;
    const bait = `${site.host.store}/.tests/bait-${newJob()}`;
    await tryAll(targetOn(mapping, bait), ESCAPES.filter(({ where }) => where === "anywhere"));
  });
}, ["systemd"]);
