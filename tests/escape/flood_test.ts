/** Jobs whose output is huge. */

import assert from "node:assert/strict";
import { onEachBoot, onEachHost, onEachMachine } from "../hosts/shared.ts";
import { runScript, type Site, withMachine } from "../hosts/site.ts";
import { siteWithOwnIds } from "./own_ids.ts";

const BYTES = 100_000_000;
const MIB = 1024 ** 2;

/** Runs a command and discards its output; prints its exit code, the bytes of output and its peak memory in KiB. */
const MEASURE = `
import resource, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
bytes = 0
while piece := child.stdout.read1(65536): bytes += len(piece)
print(child.wait(), bytes, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
`;

const FLOOD = `yes 'a line of a log, of no interest to anybody' | head -c ${BYTES}`;

interface Measured {
  readonly bytes: number;
  readonly memory: number;
}

async function measured(site: Site, id: string, script: string): Promise<Measured> {
  const path = await site.put(script);
  const words = site.words(["run", "--id", id, path, "step_script"]);
  const { stdout, stderr } = await site.host.exec(["python3", "-c", MEASURE, ...words]);
  const [code = NaN, bytes = NaN, kib = NaN] = stdout.trim().split(" ").map(Number);
  assert.equal(code, 0, stderr);
  return { bytes, memory: kib * 1024 };
}

/** Returns how many bytes the host keeps of the output of machines. */
async function kept(site: Site): Promise<number> {
  const places = ["/var/log", "/run/log", "/run/nspawn-runner", `${site.store}/.machines`];
  const { stdout } = await site.host.exec(["du", "-s", "-c", "--block-size=1", ...places]);
  return Number(stdout.trim().split("\n").at(-1)!.split("\t")[0]);
}

onEachMachine(
  "100 MB of output pass, and neither the program nor the host keeps them",
  async (own, id) => {
    const quiet = await measured(own, id, "true");
    const before = await kept(own);
    const loud = await measured(own, id, FLOOD);
    assert.equal(loud.bytes, BYTES);
    assert.ok(loud.memory < quiet.memory + 32 * MIB, `${loud.memory}, else ${quiet.memory}`);
    const grown = await kept(own) - before;
    assert.ok(grown < 16 * MIB, `the host keeps ${grown} bytes more`);
  },
  { kinds: ["systemd"] },
);

/** Runs a command and reads its output only after two seconds; prints how long the script waited. */
const READ_LATE = `
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
time.sleep(2)
began, ended = child.stdout.read().decode().split("x" * 1000000)
print(float(ended) - float(began))
`;

onEachMachine("a script waits while nobody reads its output", async (own, id) => {
  const now = "cut -d ' ' -f 1 /proc/uptime";
  const path = await own.put(`${now}\nprintf 'x%.0s' $(seq 1000000)\n${now}\n`);
  const words = own.words(["run", "--id", id, path, "step_script"]);
  const { stdout, stderr } = await own.host.exec(["python3", "-c", READ_LATE, ...words]);
  const waited = Number(stdout.trim().split("\n").at(-1));
  assert.ok(waited > 1, `${stdout}${stderr}`);
});

/** Writes to every stdout and stderr of the machine's processes, in case one is a log of the host. */
const STEAL = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def doors(pid):
    for number in (1, 2):
        yield libc.syscall(438, os.pidfd_open(pid), number, 0) # pidfd_getfd
        try: yield os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY)
        except OSError: pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) in (os.getpid(), os.getppid()): continue
    try: found = [door for door in doors(int(pid)) if door >= 0]
    except OSError: continue # it has ended
    for door in found:
        try: os.write(door, b"escaped into the journal\\n")
        except OSError: pass
`;

/** Writes as much as possible to every stdout and stderr of the machine's processes. */
const FLOOD_DOORS = `for door in /proc/[0-9]*/fd/[12]; do
  [ "$(readlink "$door")" = /dev/null ] || head -c ${BYTES} /dev/zero >"$door" && echo "$door"
done 2>/dev/null
:
`;

onEachHost(
  "a job cannot fill a log of a host without systemd",
  async (site) => {
    // Without a user namespace, a plain machine's PID 1 still has nspawn's stdout open.
    const own = await site.with({ boot: false, private_users: "off" });
    await withMachine(own, async (id) => {
      const before = await kept(own);
      const done = await runScript(own, id, FLOOD_DOORS);
      assert.match(done.stdout, /^\/proc\/1\/fd\/1$/m, done.stderr);
      assert.equal((await runScript(own, id, "exit 3")).code, 3);
      const grown = await kept(own) - before;
      assert.ok(grown > MIB / 2 && grown < 4 * MIB, `the host keeps ${grown} bytes more`);
    });
  },
  ["standalone"],
);

const NO_LOG = "a job cannot write to a log of the host";

onEachBoot(NO_LOG, async (site) => {
  const own = await siteWithOwnIds(NO_LOG, site);
  if (own === null) return;
  await withMachine(own, async (id) => {
    const done = await runScript(own, id, `python3 - <<'END'${STEAL}END\n`);
    assert.equal(done.code, 0, done.stderr);
    const read = 'journalctl --sync; journalctl --output=cat --no-pager --unit="$1"';
    const unit = `nspawn-runner-run-${id}.service`;
    const journal = await own.host.exec(["sh", "-c", read, "sh", unit]);
    assert.match(journal.stdout, /^Started /m);
    assert.doesNotMatch(journal.stdout, /escaped/);
  });
}, { kinds: ["systemd"] });

/** Prints blocks and inodes of each tmpfs of a new machine, 0 for no limit. */
const LOOK = `while read -r _ place kind _; do
  [ "$kind" = tmpfs ] && stat --file-system --format="$place %b %c" "$place"
done </proc/self/mounts
:
`;

onEachMachine("every tmpfs of a machine is limited in size and files", async (site, id) => {
  const lines = (await runScript(site, id, LOOK)).stdout.trim().split("\n");
  assert.ok(lines.some((line) => line.startsWith("/dev/shm ")), lines.join("\n"));
  for (const line of lines) {
    assert.match(line, /^\S+ [1-9]\d* [1-9]\d*$/);
  }
});
