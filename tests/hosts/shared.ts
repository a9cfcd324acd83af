/** Tests on both kinds of host; all tests of a process share the hosts. */

import assert from "node:assert/strict";
import { hostTest } from "./check.ts";
import type { HostKind } from "./host.ts";
import { installed } from "./installed.ts";
import { leftovers } from "./leftovers.ts";
import type { Suite } from "./roots.ts";
import { bootSystemd } from "./systemd.ts";
import { startStandalone } from "./standalone.ts";
import { type Settings, type Site, siteOn, withMachine } from "./site.ts";

/** A test on a host. */
export type Body = (site: Site) => Promise<void>;

let tested: readonly HostKind[] = ["systemd", "standalone"];

/** Leaves out the tests on shared hosts of other kinds, which another process runs at the same time. */
export function runOnlyOn(kind: HostKind): void {
  tested = [kind];
}

const sites = new Map<HostKind, Promise<Site>>();

/**
 * Registers a test for each kind of host. It fails if it leaves anything behind.
 *
 * @param kinds The kinds of host that it can run on.
 */
export function onEachHost(name: string, body: Body, kinds: readonly HostKind[] = tested): void {
  for (const kind of kinds.filter((one) => tested.includes(one))) {
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

/** Registers a test that needs a host of each kind. */
export function onBothHosts(
  name: string,
  body: (systemd: Site, standalone: Site) => Promise<void>,
): void {
  onEachHost(`${name}, and a`, async (site) => await body(site, await siteOf("standalone")), [
    "systemd",
  ]);
}

/** A test in the machine of the job `id`. */
export type MachineBody = (site: Site, id: string) => Promise<void>;

/** Options of {@linkcode onEachBoot}. */
export interface BootOptions {
  /** Settings of config.toml, in addition to `boot`. */
  readonly settings?: Settings;
  readonly kinds?: readonly HostKind[];
}

/** Registers a test for each kind of host, with booted and with plain machines. */
export function onEachBoot(name: string, body: Body, options: BootOptions = {}): void {
  for (const boot of [true, false]) {
    onEachHost(
      `${name}, ${boot ? "booted" : "plain"}`,
      async (site) => await body(await site.with({ ...options.settings, boot })),
      options.kinds,
    );
  }
}

/** Registers a test for each kind of host and of machine; its machine is ready. */
export function onEachMachine(name: string, body: MachineBody, options?: BootOptions): void {
  onEachBoot(name, (site) => withMachine(site, (id) => body(site, id)), options);
}

/** Returns the shared host of a kind, and starts it for the first test that needs it. */
function siteOf(kind: HostKind): Promise<Site> {
  const site = sites.get(kind) ?? open(kind);
  sites.set(kind, site);
  site.catch(() => sites.delete(kind)); // the next test tries again
  return site;
}

async function open(kind: HostKind): Promise<Site> {
  const installation = await installed();
  const host = kind === "systemd"
    ? await bootSystemd(suiteOfHosts(), [installation.prefix])
    : await startStandalone();
  return await siteOn(host, installation);
}

/** Returns the release of the hosts: NSPAWN_RUNNER_TEST_SUITE may be bookworm. */
export function suiteOfHosts(): Suite {
  return Deno.env.get("NSPAWN_RUNNER_TEST_SUITE") === "bookworm" ? "bookworm" : "trixie";
}

Deno.test.afterAll(async () => {
  for (const site of sites.values()) {
    await site.then(({ host }) => host.close(), () => {}); // a host that did not start is already closed
  }
});
