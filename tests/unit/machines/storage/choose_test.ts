import assert from "node:assert/strict";
import type { StorageChoice } from "../../../../src/config/settings.ts";
import { Failure } from "../../../../src/failure.ts";
import type { Stat } from "../../../../src/host/host.ts";
import type { KernelFacts } from "../../../../src/linux/proc.ts";
import { btrfs } from "../../../../src/machines/storage/btrfs.ts";
import { chooseStorage } from "../../../../src/machines/storage/choose.ts";
import { tmpfs } from "../../../../src/machines/storage/tmpfs.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

interface Place {
  readonly choice: StorageChoice;
  readonly type: string;
  /** Whether the chroot is a subvolume. */
  readonly subvolume: boolean;
  /** Whether an overlay can be mounted. */
  readonly overlay: boolean;
  /** How quotas count; undefined where there is no limit. */
  readonly quotas?: "squota" | "qgroup" | "";
}

async function choose({ choice, type, subvolume, overlay, quotas }: Place) {
  const trials: string[] = [];
  const { host } = recordingHost({
    answer(argv) {
      if (argv[0] === "sh") return { stdout: `${quotas}\n` };
      trials.push(argv[0]);
      return { code: overlay ? 0 : 32 };
    },
  });
  const answers = new Map<string, string>();
  const stat: Stat = {
    kind: "directory",
    size: 0,
    mode: 0,
    uid: 0,
    dev: 7,
    ino: subvolume ? 256 : 99,
    modified: null,
    born: null,
  };
  const nothing = () => Promise.resolve();
  const files = {
    ...host.files,
    real: (path: string) => Promise.resolve(path),
    stat: () => Promise.resolve(stat),
    lstat: () => Promise.resolve(stat),
    read: (path: string) => Promise.resolve(answers.get(path) ?? null),
    replace: (path: string, text: string) => Promise.resolve(void answers.set(path, text)),
    makeDirectory: nothing,
    removeTree: nothing,
  };
  const facts: KernelFacts = {
    boot: "b",
    stat: "",
    cgroup: "/",
    mounts: [{ point: "/", type: "ext4" }, { point: "/store", type }],
    links: [],
  };
  const ask = () =>
    chooseStorage(
      { ...host, files },
      facts,
      choice,
      "/store",
      "/store/.machines/x",
      "/store/c",
      quotas !== undefined,
    );
  const { kind } = await ask();
  assert.equal((await ask()).kind, kind);
  assert.ok(trials.length <= 1, "tried once a boot");
  return kind;
}

/** The configuration, the store's file system, a subvolume, a mountable overlay; what comes of it. */
const MATRIX: readonly (readonly [StorageChoice, string, boolean, boolean, string])[] = [
  ["auto", "ext4", false, true, "overlay"],
  ["auto", "overlay", false, false, "tmpfs"],
  ["auto", "nfs4", false, false, "tmpfs"],
  ["auto", "btrfs", true, true, "btrfs"],
  ["auto", "btrfs", false, true, "overlay"],
  ["overlay", "btrfs", true, true, "overlay"],
  ["overlay", "ext4", false, true, "overlay"],
  ["tmpfs", "btrfs", true, true, "tmpfs"],
  ["btrfs", "btrfs", true, false, "btrfs"],
  // The inode's number means something on btrfs alone.
  ["auto", "ext4", true, true, "overlay"],
];

for (const [choice, type, subvolume, overlay, kind] of MATRIX) {
  const what = `${choice} on ${type}${subvolume ? ", a subvolume" : ""}`;
  Deno.test(`chooseStorage() of ${what}${overlay ? "" : ", no overlay"} is ${kind}`, async () => {
    assert.equal(await choose({ choice, type, subvolume, overlay }), kind);
  });
}

Deno.test("chooseStorage() with a limit takes snapshots where simple quotas are on", async () => {
  const place = { type: "btrfs", subvolume: true, overlay: true } as const;
  assert.equal(await choose({ ...place, choice: "auto", quotas: "squota" }), "btrfs");
  for (const quotas of ["qgroup", ""] as const) {
    assert.equal(await choose({ ...place, choice: "auto", quotas }), "overlay");
    await assert.rejects(choose({ ...place, choice: "btrfs", quotas }), {
      kind: "host",
      hint: /btrfs quota enable --simple \/store/,
    });
  }
});

Deno.test("chooseStorage() refuses snapshots where there can be none", async () => {
  const place = { choice: "btrfs", overlay: true } as const;
  for (const [type, subvolume] of [["ext4", false], ["btrfs", false], ["xfs", true]] as const) {
    await assert.rejects(choose({ ...place, type, subvolume }), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, "refused");
      return true;
    });
  }
});

Deno.test("chooseStorage() goes by where the store really is", async () => {
  const mounts = [{ point: "/", type: "ext4" }, { point: "/data", type: "btrfs" }];
  const facts: KernelFacts = { boot: "b", stat: "", cgroup: "/", mounts, links: [] };
  const { host } = recordingHost();
  const chosen = (store: string, real: string | null) => {
    const stat = { kind: "directory", ino: 256 } as Stat;
    const files = {
      ...host.files,
      real: () => Promise.resolve(real),
      lstat: () => Promise.resolve(stat),
    };
    const there = { ...host, files };
    return chooseStorage(there, facts, "btrfs", store, `${store}/.machines/x`, `${store}/c`, false);
  };
  assert.equal((await chosen("/link", "/data/store")).kind, "btrfs");
  assert.equal((await chosen("/data/store", null)).kind, "btrfs");
  await assert.rejects(chosen("/data/link", "/elsewhere"), { message: /the store is on ext4$/ });
});

Deno.test("tmpfs is unmounted as often as it was mounted, then its folder goes", async () => {
  await inFolder(async (folder) => {
    const machine = `${folder}/machine`;
    await Deno.mkdir(machine);
    let mounted = 2;
    const { host, commands } = recordingHost({ answer: () => void mounted-- });
    const files = {
      ...host.files,
      stat: async (path: string) => {
        const stat = await host.files.stat(path);
        return stat && path === machine && mounted > 0 ? { ...stat, dev: stat.dev + 1 } : stat;
      },
    };
    await tmpfs.remove({ ...host, files }, machine);
    await tmpfs.remove({ ...host, files }, machine);
    assert.deepEqual(commands(), [`umount ${machine}`, `umount ${machine}`]);
    assert.equal(await host.files.lstat(machine), null);
  });
});

Deno.test("tmpfs that cannot be mounted or unmounted is a failure of the host", async () => {
  await inFolder(async (folder) => {
    const { host } = recordingHost({ answer: () => ({ code: 32, stderr: "no right\n" }) });
    await assert.rejects(tmpfs.create(host, "/c", folder, null, null), /no right/);
    const other = { ...(await host.files.stat(folder))!, dev: -1 };
    const stat = (path: string) => path === folder ? Promise.resolve(other) : host.files.stat(path);
    await assert.rejects(
      tmpfs.remove({ ...host, files: { ...host.files, stat } }, folder),
      /no right/,
    );
  });
});

Deno.test("btrfs deletes the snapshot, and only then the folder around it", async () => {
  await inFolder(async (folder) => {
    const machine = `${folder}/machine`;
    await Deno.mkdir(`${machine}/root`, { recursive: true });
    const { host, commands } = recordingHost({ answer: () => Deno.remove(`${machine}/root`) });
    const lstat = async (path: string) => {
      const stat = await host.files.lstat(path);
      return stat && path === `${machine}/root` ? { ...stat, ino: 256 } : stat;
    };
    await btrfs.remove({ ...host, files: { ...host.files, lstat } }, machine);
    assert.deepEqual(commands(), [`btrfs subvolume delete ${machine}/root`]);
    assert.equal(await host.files.lstat(machine), null);
  });
});

Deno.test("btrfs makes a snapshot of the chroot, and is closed where there is none", async () => {
  await inFolder(async (folder) => {
    const machine = `${folder}/machine`;
    await Deno.mkdir(machine);
    const { host, commands } = recordingHost();
    await btrfs.create(host, "/store/c", machine, null, null);
    const { options } = btrfs.root("/store/c", machine, null);
    assert.deepEqual(options, [`--directory=${machine}/root`]);
    assert.deepEqual(commands(), [`btrfs subvolume snapshot /store/c ${machine}/root`]);
    await btrfs.remove(host, machine);
    assert.equal(commands().length, 1);
    assert.equal(await host.files.lstat(machine), null);
  });
});
