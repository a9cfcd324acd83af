/** What a boot does not wait for. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { runScript, withMachine } from "../hosts/site.ts";

const ONLINE = `
systemctl is-enabled systemd-networkd-wait-online.service tmp.mount
timeout 20 systemctl start network-online.target
`;

onEachHost("a machine does not wait until its network is online", async (site) => {
  await withMachine(site, async (id) => {
    const done = await runScript(site, id, ONLINE);
    assert.match(done.stdout, /^masked\S*\nmasked/);
    assert.equal(done.code, 0, done.stderr);
  });
});
