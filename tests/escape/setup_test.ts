/** Escapes from the machine in which a chroot is built: its image may be a stranger's. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, type Settings, type Site } from "../hosts/site.ts";
import { define, linkChroot, PATIENCE, succeed, withStore } from "../integration/store.ts";
import { skip } from "../skip.ts";
import { tryAll } from "./attempt.ts";
import { ESCAPES } from "./escapes.ts";
import { siteWithOwnIds } from "./own_ids.ts";
import { type Target, targetOn } from "./target.ts";

const NAME = "no way leads out of an image that is set up";

/** Escapes through what the configuration binds into the machines of jobs, and no build sees. */
const BY_BINDS = /bind|D-Bus/;

/** Returns a target whose scripts run from `setup` of a chroot's definition, as the nightly maintenance runs it. */
function setupTarget(site: Site, bait: string): Target {
  const { host } = targetOn(site, bait);
  const withMachine: Target["withMachine"] = async (settings: Settings, body) => {
    const { binds: _, ...others } = settings;
    const own = await site.with({ ...others, boot: false });
    await body(async (script) => {
      const file = await own.put(script);
      const source = `source = "dir:${site.host.store}/${CHROOT}"`;
      const setup =
        `copy = { "${file}" = "/root/escape" }\nsetup = ["sh /root/escape >/root/out 2>&1"]`;
      const name = `set-up-${newJob()}`;
      await define(own, name, `${source}\n${setup}\n`);
      const { code, stderr } = await own.call(["chroot-create", name], PATIENCE);
      const { stdout } = await own.host.exec(["cat", `${own.store}/${name}/root/out`]);
      await succeed(own, "chroot-remove", name);
      return { code, stdout, stderr };
    });
  };
  return { bait, host, withMachine };
}

onEachHost(NAME, async (site) => {
  if (Deno.build.arch !== "x86_64") return skip(NAME, "the programs know x86-64's system calls");
  await withStore(site, {}, async (own) => {
    await linkChroot(own, site);
    const mapping = await siteWithOwnIds(NAME, own);
    if (mapping === null) return;
    const bait = `${site.host.store}/.tests/bait-${newJob()}`;
    const escapes = ESCAPES.filter(({ where, name }) =>
      where === "anywhere" && !BY_BINDS.test(name)
    );
    assert.ok(escapes.length > 10);
    await tryAll(setupTarget(mapping, bait), escapes);
  });
}, ["systemd"]);
