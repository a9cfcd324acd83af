/** Limits of machines, which need a kernel with all cgroup controllers. */

import assert from "node:assert/strict";
import { CHROOT } from "../hosts/site.ts";
import { onVm, type VmSite } from "./site.ts";

const MIB = 1024 ** 2;
const LIMITS = '[limits]\nmemory_max = "300M"\ntasks_max = "60"\ncpu_quota = "100%"\n';

/** The kernel kills this in a machine with 300 MiB. */
const TAKE_500_MIB = "python3 -c 'x = bytearray(500 * 1024 * 1024)'";

/** Forks until that fails; prints the number of forks and the error. */
const FORK = `python3 - <<'END'
import errno, os, signal
children = []
try:
    while len(children) < 200:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
    print(len(children), "and no end")
except OSError as error:
    print(len(children), errno.errorcode[error.errno])
finally:
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
END
`;

for (const boot of [true, false]) {
  onVm(`limits bind a machine, ${boot ? "booted" : "plain"}`, async (site) => {
    await site.define(`boot = ${boot}\n${LIMITS}`);
    await site.withMachine(async (id) => {
      const unit = await isSetUp(site, id);
      await seesItsLimits(site, id);
      await killsWhoTakesTooMuch(site, id);
      await stopsForks(site, id);
      await staysUsable(site, id, boot);
      await countsInTheUnit(site, unit);
    });
  });
}

/** Checks the unit's properties, and returns its cgroup. */
async function isSetUp(site: VmSite, id: string): Promise<string> {
  const machine = `run-${id}`;
  const text = await site.host(`
    show() { systemctl show --value "$@"; }
    show nspawn-runner-${machine}.service --property=ControlGroup
    show nspawn-runner-${machine}.service --property=MemoryMax
    show nspawn-runner-${machine}.service --property=TasksMax
    show nspawn-runner-${machine}.service --property=Slice
    show machine-ci.slice --property=MemoryMax
    cat /sys/fs/cgroup/machine.slice/machine-ci.slice/memory.max
    sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo
    sed -n 's/^0:://p' "/proc/$(machinectl show ${machine} --property=Leader --value)/cgroup"
    machinectl list --no-legend
  `);
  const [unit, memory, tasks, slice, all, bound, total, payload, listed] = text.split("\n");
  assert.equal(memory, `${300 * MIB}`);
  assert.equal(tasks, "60");
  assert.equal(slice, "machine-ci.slice");
  assert.match(unit!, new RegExp(`/machine-ci\\.slice/nspawn-runner-${machine}\\.service$`));
  assert.ok(payload!.startsWith(`${unit}/payload`), `${payload} is below ${unit}`);
  assert.match(listed!, new RegExp(`^${machine} `));
  // In pages, rounded down by the kernel.
  const share = Number(total) * 1024 * 0.9;
  assert.ok(Math.abs(Number(all) - share) <= 4096, `${all} is 90 % of ${total} kB`);
  assert.ok(Math.abs(Number(bound) - share) <= 4096, `${bound} is 90 % of ${total} kB`);
  return unit!;
}

/** As the JVM, Go, Node and make look for them. */
async function seesItsLimits(site: VmSite, id: string): Promise<void> {
  const script = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; nproc\n";
  const { stdout, stderr } = await site.runScript(id, script);
  assert.equal(stdout, `${300 * MIB}\n100000 100000\n1\n`, stderr);
}

async function killsWhoTakesTooMuch(site: VmSite, id: string): Promise<void> {
  const inside = await site.runScript(id, `${TAKE_500_MIB}; echo code $?\n`);
  assert.equal(inside.stdout, "code 137\n", inside.stderr);
  assert.equal(inside.code, 0, inside.stderr);
  const last = await site.runScript(id, `${TAKE_500_MIB}\n`);
  assert.equal(last.code, 137, last.stderr);
}

async function stopsForks(site: VmSite, id: string): Promise<void> {
  const { stdout, stderr } = await site.runScript(id, FORK);
  const [forks, reason] = stdout.trim().split(" ");
  assert.equal(reason, "EAGAIN", stdout + stderr);
  // The machine itself uses the rest.
  assert.ok(Number(forks) > 20 && Number(forks) < 60, `${forks} forks`);
}

async function staysUsable(site: VmSite, id: string, boot: boolean): Promise<void> {
  const done = await site.runScript(id, "cat /proc/1/comm\nexit 3\n");
  assert.equal(done.stdout === "systemd\n", boot, done.stdout);
  assert.equal(done.code, 3, done.stderr);
}

/** Checks the events in the unit's cgroup, which still exists. */
async function countsInTheUnit(site: VmSite, unit: string): Promise<void> {
  const [kills, forks, state] = (await site.host(`
    sed -n 's/^oom_kill //p' /sys/fs/cgroup${unit}/memory.events
    sed -n 's/^max //p' /sys/fs/cgroup${unit}/pids.events
    systemctl is-active ${unit.split("/").at(-1)}
  `)).split("\n");
  assert.equal(kills, "2");
  assert.ok(Number(forks) >= 1, `${forks} forks refused`);
  assert.equal(state, "active");
}

onVm("a job within its limits keeps its own exit code", async (site) => {
  await site.define(LIMITS);
  const script = `${TAKE_500_MIB}; test $? = 137 && exit 7`;
  const done = await site.call(["simulate", "--image", CHROOT, "--", "sh", "-c", script]);
  assert.equal(done.code, 7, done.stderr);
  assert.match(`${done.stdout}${done.stderr}`, /after_script/, "it goes on after a failure");
});
