/** Hosts that cannot map the owners of files. */

import type { Settings, Site } from "../hosts/site.ts";
import { withStore } from "./store.ts";

/** Runs a test with a new store, on a host whose mount(8) cannot map owners. */
export async function withoutMaps(
  site: Site,
  settings: Settings,
  body: (own: Site) => Promise<void>,
): Promise<void> {
  const { dev } = await Deno.stat(site.host.outerPath(site.store));
  const answer = `/run/nspawn-runner/.idmap-${dev}`;
  const { stdout: boot } = await site.host.exec(["cat", "/proc/sys/kernel/random/boot_id"]);
  await site.host.exec(["mkdir", "-p", "/run/nspawn-runner"]);
  await site.put(`no ${boot}`, answer);
  try {
    await withStore(site, { private_users: "auto", ...settings }, body);
  } finally {
    await site.host.exec(["rm", answer]);
  }
}
