import assert from "node:assert/strict";
import { type Lease, listLeases, writeLease } from "../../../../src/machines/record/lease.ts";
import { evictHeldMachines, refuseFullDisk } from "../../../../src/machines/end/free_space.ts";
import { type Answer, inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

/** Free bytes of 1000 on the disk, and of memory. */
const ROOM: readonly (readonly [number, number, readonly string[]])[] = [
  [500, 500, []],
  [99, 500, ["early: evicted to free disk space", "late: evicted to free disk space"]],
  [500, 99, ["early: evicted to free memory"]],
];

for (const [disk, memory, ended] of ROOM) {
  Deno.test(`evictHeldMachines() with ${disk} and ${memory} of 1000 ends ${ended.length} that are kept`, async () => {
    await inFolder(async (folder) => {
      const { host } = standaloneHost(folder, (argv): Answer | void => {
        if (argv[0] === "df") {
          return { stdout: `Avail 1B-blocks IFree Inodes\n  ${disk} 1000 9 9\n` };
        }
        if (!argv.includes("/proc/meminfo")) return;
        return { stdout: `MemTotal:   1000 kB\nMemAvailable:  ${memory} kB\n` };
      });
      const keep = async (name: string, more: Partial<Lease>) =>
        await writeLease(host, leaseOf(folder, name, more));
      await keep("late", { held: "2030-01-01T02:00:00.000Z", storage: "overlay" });
      await keep("early", { held: "2030-01-01T01:00:00.000Z", storage: "tmpfs" });
      await keep("running", { storage: "tmpfs" });
      const found: string[] = [];
      await evictHeldMachines(host, folder, await listLeases(host, folder), ({ lease, reason }) => {
        found.push(`${lease.job}: ${reason}`);
        return Promise.resolve(true);
      });
      assert.deepEqual(found, ended);
    });
  });
}

Deno.test("evictHeldMachines() ends no further machine once its caller gives up", () =>
  inFolder(async (folder) => {
    const df = { stdout: "Avail 1B-blocks IFree Inodes\n  1 1000 9 9\n" };
    const { host } = standaloneHost(folder, ([program]) => program === "df" ? df : undefined);
    for (const name of ["one", "two"]) {
      const lease = leaseOf(folder, name, { held: "2030-01-01T01:00:00.000Z", storage: "overlay" });
      await writeLease(host, lease);
    }
    let calls = 0;
    await evictHeldMachines(host, folder, await listLeases(host, folder), () => {
      calls++;
      return Promise.resolve(false);
    });
    assert.equal(calls, 1);
  }));

const NEVER = new AbortController().signal;

/** Free bytes as df(1) says them, the reserve, whether a machine may start. */
const RESERVES: readonly (readonly [string, number, boolean])[] = [
  ["1000", 1000, true],
  ["999", 1000, false],
  ["0", 1000, false],
  ["", 1000, true],
];

for (const [free, reserve, may] of RESERVES) {
  Deno.test(`refuseFullDisk() ${may ? "lets" : "refuses"} ${free || "what nobody tells"} of ${reserve}`, async () => {
    const stdout = `Avail 1B-blocks IFree Inodes\n${free} 9999 9 9\n`;
    const { host, commands } = recordingHost({ answer: () => ({ stdout }) });
    const refusal = refuseFullDisk(host, "/store", reserve, "systemd", NEVER);
    if (may) await refusal;
    else await assert.rejects(refusal, { kind: "host", message: /disk_reserve/, hint: /gc/ });
    assert.equal(commands()[0], "df --block-size=1 --output=avail,size,iavail,itotal /store");
  });
}

Deno.test("refuseFullDisk() counts files that can be made, and names them", async () => {
  for (const [inodes, all, refused] of [[63, 99, true], [64, 99, false], [0, 0, false]] as const) {
    const stdout = `Avail 1B-blocks IFree Inodes\n99999999 99999999 ${inodes} ${all}\n`;
    const { host } = recordingHost({ answer: () => ({ stdout }) });
    const refusal = refuseFullDisk(host, "/store", 1024 * 1024, "systemd", NEVER);
    if (!refused) await refusal;
    else {
      await assert.rejects(refusal, {
        message: "Cannot start a machine: only 63 files can be made at /store, fewer than 64 " +
          "(disk_reserve)",
      });
    }
  }
});

Deno.test("refuseFullDisk() first removes caches that no machine uses, the oldest first, until there is enough", async () => {
  await inFolder(async (folder) => {
    const store = `${folder}/store`;
    const cache = (name: string) => `${store}/.cache/server/${name}/protected`;
    const { host, err } = standaloneHost(folder, (argv): Answer | void => {
      if (argv[0] !== "df") return;
      const left = ["old", "used", "middle", "new"].filter((name) => exists(cache(name))).length;
      return { stdout: `Avail 1B-blocks IFree Inodes\n ${1000 - left * 100} 1000 99 99\n` };
    });
    for (const [index, name] of ["old", "used", "middle", "new"].entries()) {
      await host.files.makeDirectory(`${cache(name)}/data`);
      await host.files.touch(cache(name), index * 1000);
    }
    await writeLease(host, leaseOf(store, "1", { folders: [cache("used")] }));
    await refuseFullDisk(host, store, 800, "systemd", NEVER);
    assert.deepEqual(["old", "used", "middle", "new"].filter((name) => exists(cache(name))), [
      "used",
      "new",
    ]);
    assert.match(err(), /Removing .*old.protected: disk space is short/);
  });
});

Deno.test("refuseFullDisk() removes no cache of another file system than the store's", async () => {
  await inFolder(async (folder) => {
    const store = `${folder}/store`;
    const mounts = `1 0 8:1 / / rw - ext4 a rw
2 1 8:2 / ${store}/.cache rw - ext4 b rw
3 1 8:1 /x ${store}/.cache/server/same rw - ext4 a rw
`;
    const { host } = standaloneHost(folder, ([program]): Answer | void => {
      if (program === "df") return { stdout: "Avail 1B-blocks IFree Inodes\n 1 1000 99 99\n" };
      if (program === "cat") return { stdout: mounts };
    });
    const caches = ["other", "same"].map((name) => `${store}/.cache/server/${name}/protected`);
    for (const cache of caches) await host.files.makeDirectory(cache);
    const refusal = refuseFullDisk(host, store, 800, "systemd", NEVER);
    await assert.rejects(refusal, { message: /disk_reserve/ });
    assert.deepEqual(caches.filter(exists), [caches[0]]);
  });
});

Deno.test("refuseFullDisk() waits a minute at most for removals that do not end, and reads no file of a job", async () => {
  await inFolder(async (folder) => {
    const store = `${folder}/store`;
    const { host, commands } = standaloneHost(folder, ([program]): Answer | void => {
      if (program === "df") return { stdout: "Avail 1B-blocks IFree Inodes\n 1 1000 99 99\n" };
    });
    const removals: (readonly string[])[] = [];
    const start: typeof host.processes.start = (argv) => {
      removals.push(argv);
      return { pid: 7, ended: new Promise(() => {}), kill() {}, unref() {} };
    };
    await host.files.makeDirectory(`${store}/.machines/.leaving/run-1-0`);
    for (const project of ["1", "2"]) {
      await host.files.makeDirectory(`${store}/.cache/server/${project}/protected/data`);
    }
    const began = host.clock.monotonic();
    const slow = { ...host, processes: { ...host.processes, start } };
    const refusal = refuseFullDisk(slow, store, 800, "systemd", NEVER);
    await assert.rejects(refusal, { message: /disk_reserve/ });
    const waited = host.clock.monotonic() - began;
    assert.ok(waited >= 60_000 && waited < 61_000, `${waited} ms`);
    assert.equal(removals.length, 1, "the second cache stays");
    assert.deepEqual(commands().filter((line) => !line.startsWith("df ")), [
      "cat -- /proc/self/mountinfo",
    ]);
  });
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
