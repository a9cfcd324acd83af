/** A job goes on while its host is maintained. */

import assert from "node:assert/strict";
import { onEachMachine } from "../hosts/shared.ts";
import { runScript } from "../hosts/site.ts";

const SCRIPT = "echo begun\nuntil [ -e /root/go ]; do sleep 0.2; done\necho done\nexit 37\n";

const MAINTENANCE = [
  ["systemctl", "restart", "systemd-machined"],
  ["systemctl", "daemon-reload"],
  ["systemctl", "daemon-reexec"],
  ["systemctl", "restart", "dbus"],
] as const;

onEachMachine("a script goes on while the host's systemd, machined and D-Bus restart", async (
  site,
  id,
) => {
  const running = site.start(["run", "--id", id, await site.put(SCRIPT), "build_script"]);
  await running.untilPrinted("begun");
  for (const argv of MAINTENANCE) {
    const { code, stderr } = await site.host.exec([...argv]);
    assert.equal(code, 0, `${argv.join(" ")}: ${stderr}`);
  }
  const next = await runScript(site, id, "touch /root/go\nexit 5\n");
  assert.notEqual(next.code, 125, next.stderr);
  const done = await running.ended;
  assert.equal(done.code, 37, done.stderr);
  assert.match(done.stdout, /done/);
}, { kinds: ["systemd"] });
