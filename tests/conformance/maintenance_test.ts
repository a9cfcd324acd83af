/** A job goes on while its host is maintained, and machines of administrators go on while jobs run. */

import assert from "node:assert/strict";
import { onEachBoot, onEachMachine } from "../hosts/shared.ts";
import { CHROOT, newJob } from "../hosts/site.ts";

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
  const shell = await site.call(["shell", id], { stdin: "touch /root/go\nexit 5\n" });
  assert.equal(shell.code, 5, shell.stderr);
  const done = await running.ended;
  assert.equal(done.code, 37, done.stderr);
  assert.match(done.stdout, /done/);
}, { kinds: ["systemd"] });

onEachBoot("no call ends an administrator's own machine of a job's name", async (site) => {
  const id = newJob();
  const machine = `run-${id}`;
  const folder = `/run/systemd/nspawn/unix-export/${machine}`; // nspawn mounts it since version 257
  const exec = async (...argv: string[]) => {
    const { code, stdout, stderr } = await site.host.exec(argv);
    assert.equal(code, 0, `${argv.join(" ")}: ${stderr}`);
    return stdout;
  };
  await exec(
    ...["systemd-run", "--quiet", "--service-type=notify", `--unit=${machine}-own`, "--collect"],
    ...["systemd-nspawn", "--quiet", "--settings=no", `--machine=${machine}`, "--read-only"],
    ...[`--directory=${site.store}/${CHROOT}`, "--as-pid2", "--console=pipe", "sleep", "600"],
  );
  const isMounted = async () => (await site.host.exec(["mountpoint", folder])).code === 0;
  const mountHere = !await isMounted();
  try {
    if (mountHere) {
      await exec("mkdir", "-p", folder);
      await exec("mount", "-t", "tmpfs", "tmpfs", folder);
    }
    const collected = await site.call(["gc"]);
    assert.equal(collected.code, 0, collected.stderr);
    assert.doesNotMatch(collected.stdout, new RegExp(machine));
    const prepared = await site.call(["prepare", CHROOT, "--id", id]);
    assert.notEqual(prepared.code, 0);
    assert.match(prepared.stderr, /the host has another machine of that name/);
    const cleaned = await site.call(["cleanup", "--id", id]);
    assert.equal(cleaned.code, 0, cleaned.stderr);
    const shown = await exec("machinectl", "show", machine, "--property=State", "--value");
    assert.equal(shown, "running\n");
    assert.ok(await isMounted());
  } finally {
    await exec("systemctl", "stop", `${machine}-own`);
    if (mountHere) await exec("umount", folder);
    await site.host.exec(["rmdir", folder]);
  }
}, { kinds: ["systemd"] });
