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

const USER_MANAGER = `
stat --format=%U "$XDG_RUNTIME_DIR" "$(echo "$DBUS_SESSION_BUS_ADDRESS" | cut -d= -f2)"
systemctl --user is-system-running
systemd-run --user --quiet --pipe --wait id --name --user
`;

onEachHost(
  "the systemd of a booted machine's user runs, and that of no other one",
  async (site) => {
    const own = await site.with({ user: "games" });
    await withMachine(own, async (id) => {
      const { stdout, stderr } = await runScript(own, id, USER_MANAGER);
      assert.equal(stdout, "games\ngames\nrunning\ngames\n", stderr);
    });
    await withMachine(site, async (id) => {
      const done = await runScript(site, id, "env | grep XDG_RUNTIME_DIR; ls -A /run/user\n");
      assert.equal(done.stdout, "", done.stderr);
    });
  },
);
