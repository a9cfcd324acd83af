/** Explanations in the log of a job that a limit stopped. */

import assert from "node:assert/strict";
import { CHROOT } from "../hosts/site.ts";
import { withPulledImage } from "./pulled_image.ts";
import { onVm, type VmSite } from "./site.ts";

const LIMITS = '[limits]\nmemory_max = "300M"\ntasks_max = "60"\n';

/** The kernel kills this in a machine with 300 MiB. */
const TAKE_500_MIB = "python3 -c 'x = bytearray(500 * 1024 * 1024)'";

/** Memory in files, which belongs to no process: killing processes frees nothing, so the kernel kills all of the machine. */
const HOLD_500_MIB = `mount -t tmpfs -o size=1G tmpfs /mnt
head -c 500M /dev/zero >/mnt/file
`;

/** A fork bomb; the shell itself needs no further process to wait and to exit. */
const BOMB = `bomb() { bomb | bomb & }
bomb 2>/dev/null
until [ "$SECONDS" -gt 20 ]; do :; done
exit 9
`;

/** Checks the log of a machine with 300 MiB. */
async function logsTheLimit(site: VmSite, id: string): Promise<void> {
  const killed = await site.runScript(id, `${TAKE_500_MIB}\n`);
  assert.equal(killed.code, 137, killed.stderr);
  const line =
    /^nspawn-runner: Out of memory: 1 process killed at 300 MiB\. .*limits\.memory_max$/m;
  assert.match(killed.stderr, line);
  // A later failure for another reason gets no such explanation.
  const other = await site.runScript(id, "exit 4\n");
  assert.deepEqual([other.code, other.stderr], [4, ""]);
  const last = await site.call(["run", "--id", id, "/root/script", "cleanup_file_variables"]);
  assert.match(last.stderr, /CPU \d+\.\d s, memory at most (29\d|300) MiB, /);
  const files = await site.runScript(id, HOLD_500_MIB);
  assert.equal(files.code, 137, files.stderr);
  assert.match(files.stderr, /^nspawn-runner: Out of memory: the kernel killed the machine/m);
}

onVm("a script that is killed for its memory logs the limit, on a pulled image", async (site) => {
  await withPulledImage(site, LIMITS, async (image) => {
    await site.withMachine((id) => logsTheLimit(site, id), image);
  });
});

onVm("history and explain tell, after its end, that a job ran out of memory", async (site) => {
  await site.define(`boot = false\n${LIMITS}`);
  let job = "";
  await site.withMachine(async (id) => {
    job = id;
    assert.equal((await site.runScript(id, `${TAKE_500_MIB}\n`)).code, 137);
  });
  const { stdout: failed } = await site.call(["history", "--failed"]);
  assert.match(failed, new RegExp(`^\\S+ ${job} - ${CHROOT} out-of-memory `, "m"));
  const { stdout: explained } = await site.call(["explain", job]);
  for (
    const line of [
      /^memory, at most +(29\d|300) MiB +300 MiB +limits\.memory_max$/m,
      /^tasks, at most +\d+ +60 +limits\.tasks_max$/m,
      /^It failed for lack of memory\nOut of memory: 1 process killed at 300 MiB\. .*memory_max$/m,
    ]
  ) assert.match(explained, line);
});

for (const boot of [true, false]) {
  const kind = boot ? "booted" : "plain";
  onVm(`a script that is killed for its memory logs the limit, ${kind}`, async (site) => {
    await site.define(`boot = ${boot}\n${LIMITS}`);
    await site.withMachine((id) => logsTheLimit(site, id));
  });

  onVm(`a fork bomb is stopped and logged, ${kind}`, async (site) => {
    await site.define(`boot = ${boot}\n${LIMITS}`);
    await site.withMachine(async (id) => {
      const done = await site.runScript(id, BOMB);
      assert.equal(done.code, 9, done.stderr);
      assert.match(done.stderr, /^nspawn-runner: Too many processes: refused \d+ times at 60\. /m);
      const after = await site.runScript(id, "echo still here\n");
      assert.deepEqual([after.code, after.stdout], [0, "still here\n"], after.stderr);
    });
  });
}

onVm(
  "a failed script's log names a service that ran out of memory, and one that was killed",
  async (site) => {
    const service = `[[services]]\nname = "${CHROOT}"\nalias = "hog"\n`;
    await site.define(`boot = true\n${service}[limits]\nmemory_max = "600M"\n`);
    await site.withMachine(async (id) => {
      const inService = (stdin: string) => site.call(["shell", `${id}/hog`], { stdin });
      await inService(`${TAKE_500_MIB}\n`);
      const killed = await site.runScript(id, "exit 4\n");
      assert.equal(killed.code, 4, killed.stderr);
      assert.match(
        killed.stderr,
        /^nspawn-runner: service \S+ \(hog\) ran out of memory: \d+ process(?:es)? killed at 300 MiB\. .*service_limits\.memory_max$/m,
      );
      await inService(HOLD_500_MIB);
      const gone = await site.runScript(id, "exit 5\n");
      assert.equal(gone.code, 5, gone.stderr);
      assert.match(gone.stderr, /^nspawn-runner: service \S+ \(hog\) has ended: out of memory\. /m);
    });
  },
);
