/** Tests that run on both kinds of host, which all tests of a file share. */

import assert from "node:assert/strict";
import { hostTest } from "./check.ts";
import type { HostKind } from "./host.ts";
import { installed } from "./installed.ts";
import { leftovers } from "./leftovers.ts";
import type { Suite } from "./roots.ts";
import { bootSystemd } from "./systemd.ts";
import { startStandalone } from "./standalone.ts";
import { type Site, siteOn, withMachine } from "./site.ts";

/** What a test does on a host. */
export type Body = (site: Site) => Promise<void>;

const KINDS: readonly HostKind[] = ["systemd", "standalone"];
const sites = new Map<HostKind, Promise<Site>>();

/**
 * Registers a test for each kind of host. It fails when it leaves anything behind.
 *
 * @param name What it checks.
 * @param body The test.
 * @param kinds Where it makes sense; everywhere by default.
 */
export function onEachHost(name: string, body: Body, kinds: readonly HostKind[] = KINDS): void {
  for (const kind of kinds) {
    hostTest(`${name} (${kind} host)`, async () => {
      const site = await siteOf(kind);
      try {
        await body(site);
        assert.deepEqual(await leftovers(site.host), []);
      } catch (error) {
        // The next test gets a fresh host, without the leftovers of this one.
        sites.delete(kind);
        await site.host.close();
        throw error;
      }
    });
  }
}

/**
 * Registers a test that needs a host of each kind.
 *
 * @param name What it checks.
 * @param body The test.
 */
export function onBothHosts(
  name: string,
  body: (systemd: Site, standalone: Site) => Promise<void>,
): void {
  onEachHost(`${name}, and a`, async (site) => await body(site, await siteOf("standalone")), [
    "systemd",
  ]);
}

/** What a test does in a machine; gets the job's id. */
export type MachineBody = (site: Site, id: string) => Promise<void>;

/**
 * Registers a test for each kind of host and of machine, booted and plain.
 *
 * @param name What it checks.
 * @param body The test; its machine is ready.
 */
export function onEachMachine(name: string, body: MachineBody): void {
  for (const boot of [true, false]) {
    onEachHost(`${name}, ${boot ? "booted" : "plain"}`, async (site) => {
      const own = await site.with({ boot });
      await withMachine(own, (id) => body(own, id));
    });
  }
}

/** The first test that needs a host starts it. */
function siteOf(kind: HostKind): Promise<Site> {
  const site = sites.get(kind) ?? open(kind);
  sites.set(kind, site);
  site.catch(() => sites.delete(kind)); // the next test tries anew
  return site;
}

async function open(kind: HostKind): Promise<Site> {
  const installation = await installed();
  const host = kind === "systemd"
    ? await bootSystemd(suiteOfHosts(), [installation.prefix])
    : await startStandalone();
  return await siteOn(host, installation);
}

/** NSPAWN_RUNNER_TEST_SUITE=bookworm runs all tests on hosts of that release. */
function suiteOfHosts(): Suite {
  return Deno.env.get("NSPAWN_RUNNER_TEST_SUITE") === "bookworm" ? "bookworm" : "trixie";
}

Deno.test.afterAll(async () => {
  for (const site of sites.values()) {
    await site.then(({ host }) => host.close(), () => {}); // one that did not start is closed
  }
});
