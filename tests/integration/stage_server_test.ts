/** What a job may do to the system of its own machine, while the machine's server runs its scripts. */

import assert from "node:assert/strict";
import { onEachHost, onEachMachine } from "../hosts/shared.ts";
import { runScript, withMachine } from "../hosts/site.ts";

/** What ends or restarts the D-Bus and the systemd of a booted machine. */
const CHANGES = [
  "systemctl restart dbus",
  "systemctl stop dbus.socket dbus.service",
  "systemctl start dbus.socket",
  "systemctl daemon-reload",
  "systemctl daemon-reexec",
  "systemctl isolate multi-user.target",
  "systemctl isolate rescue.target --no-block; sleep 2",
  "systemctl --no-block isolate multi-user.target; sleep 1",
];

onEachHost(
  "a stage and the next ones go on while their script changes systemd and D-Bus",
  async (site) => {
    await withMachine(await site.with({ boot: true }), async (id) => {
      const lines = CHANGES.map((change) => `${change}; echo "$? ${change}"`);
      const done = await runScript(site, id, `${lines.join("\n")}\necho still\nexit 37\n`);
      assert.equal(done.code, 37, done.stdout + done.stderr);
      assert.match(done.stdout, /still\n$/);
      assert.equal((await runScript(site, id, "exit 5")).code, 5);
    });
  },
);

/** Prints which of the ways to systemd work, from a script as from a root shell. */
const CLIENTS = `
systemctl status $$ | grep -o nspawn-runner.service | head -n 1
loginctl list-users --no-legend >/dev/null && echo logind
busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.DBus.Peer Ping && echo bus
systemd-run --quiet --pipe --wait echo unit
systemd-run --quiet --unit=kept sleep 600
systemctl is-system-running | grep -E 'running|degraded' >/dev/null && echo running
yes | head -n 1
`;

onEachHost("a script reaches systemd, logind and D-Bus as a shell of root does", async (site) => {
  await withMachine(await site.with({ boot: true }), async (id) => {
    const done = await runScript(site, id, CLIENTS);
    const expected = ["nspawn-runner.service", "logind", "bus", "unit", "running", "y"];
    assert.deepEqual(done.stdout.trim().split("\n"), expected, done.stderr);
    const next = await runScript(site, id, "systemctl is-active kept");
    assert.equal(next.stdout, "active\n", "a service that a script started goes on");
  });
});

onEachHost(
  "a script that kills the server of a booted machine ends, and the next stage runs",
  async (site) => {
    await withMachine(await site.with({ boot: true }), async (id) => {
      const kill =
        'kill -KILL "$(systemctl show --property=MainPID --value nspawn-runner)"; sleep 60';
      assert.equal((await runScript(site, id, kill)).code, 137);
      assert.equal((await runScript(site, id, "exit 5")).code, 5);
    });
  },
);

/**
 * The server may have 20 processes, of which the script leaves more. Limits of processes bind nobody with the host's user
 * ids, and those of cgroups only some hosts of tests.
 */
const LEAVE_TOO_MANY = `ulimit -Su hard
readlink /proc/$PPID/exe
ln -sf bash /bin/sh
prlimit --pid "$PPID" --nproc=20:
for i in $(seq 40); do sleep 986 & done
exit `;

onEachHost(
  "a script whose leftovers are as many as a plain machine may have keeps its exit code",
  async (site) => {
    await withMachine(await site.with({ boot: false }), async (id) => {
      for (const [code, shell] of [[8, "/usr/bin/dash"], [9, "/usr/bin/bash"]]) {
        const done = await runScript(site, id, `${LEAVE_TOO_MANY}${code}\n`);
        assert.deepEqual([done.code, done.stdout], [code, `${shell}\n`], done.stderr);
      }
      assert.equal((await runScript(site, id, "exit 5")).code, 5);
    });
  },
);

onEachMachine(
  "a stage has the filter of system calls and the limits of its machine",
  async (site, id) => {
    const show = "grep -E 'Seccomp:|NoNewPrivs:|CapBnd:|CapEff:' /proc/$PID/status | sort";
    const limits = "grep -E 'open files|core file' /proc/self/limits | tr -s ' '";
    const done = await runScript(site, id, `PID=1; ${show}\nPID=self; ${show}\n${limits}\n`);
    const [one, two, three, four, ...rest] = done.stdout.trim().split("\n");
    assert.deepEqual(rest.slice(0, 4), [one, two, three, four]);
    assert.match(rest.slice(4).join(" "), /core file size 1 1 bytes.*open files 1024 \d+/);
  },
);

onEachMachine(
  "a stage takes over from a call that was killed, whose script it ends",
  async (site, id) => {
    const first = site.start(["run", "--id", id, await site.put("echo begun; exec sleep 986")]);
    await first.untilPrinted("begun");
    Deno.kill(-first.pid, "SIGKILL");
    await first.ended;
    const next = await runScript(site, id, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; exit 4");
    assert.equal(next.code, 4, next.stderr);
    assert.doesNotMatch(next.stdout, /sleep 986/);
  },
);

onEachMachine("two stages of one machine run one after the other", async (site, id) => {
  const path = await site.put("echo in; sleep 1; echo out");
  const both = await Promise.all([1, 2].map(() => site.call(["run", "--id", id, path])));
  assert.deepEqual(both.map(({ code, stdout }) => [code, stdout]), [
    ...[[0, "in\nout\n"], [0, "in\nout\n"]],
  ]);
});
