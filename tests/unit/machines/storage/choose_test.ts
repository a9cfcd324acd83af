import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import type { StorageChoice } from "../../../../src/config/settings.ts";
import { Failure } from "../../../../src/failure.ts";
import type { Stat } from "../../../../src/host/host.ts";
import type { KernelFacts } from "../../../../src/linux/proc.ts";
import { chooseStorage } from "../../../../src/machines/storage/choose.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { standaloneHost } from "../standalone_host.ts";

interface Place {
  readonly choice: StorageChoice;
  readonly type: string;
  /** Whether the chroot is a subvolume. */
  readonly subvolume: boolean;
  /** Whether an overlay can be mounted. */
  readonly overlay: boolean;
  /** How quotas count; undefined where there is no limit. */
  readonly quotas?: "squota" | "qgroup" | "";
  /** Whether the machine starts from a pulled image. */
  readonly image?: boolean;
}

async function choose({ choice, type, subvolume, overlay, quotas, image = false }: Place) {
  const probes: string[] = [];
  const { host } = recordingHost({
    answer(argv) {
      if (argv[0] === "sh") return { stdout: `${quotas}\n` };
      probes.push(argv[0]);
      return { code: overlay ? 0 : 32, stderr: "control succeeded\n" };
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
    uptime: null,
    stat: "",
    cgroup: "/",
    mounts: [{ point: "/", type: "ext4" }, { point: "/store", type }],
    links: [],
  };
  const ask = () =>
    chooseStorage({ ...host, files }, facts, {
      choice,
      store: "/store",
      folder: "/store/.machines/x",
      base: { path: "/store/c", lower: treeAsLower(image ? "/store/layers" : "/store/c") },
      isLimited: quotas !== undefined,
    });
  const { kind } = await ask();
  assert.equal((await ask()).kind, kind);
  assert.ok(probes.length <= 1, "tried once per boot");
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

Deno.test("chooseStorage() with a limit takes btrfs where simple quotas are on", async () => {
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

Deno.test("chooseStorage() of a pulled image is no snapshot, whatever is configured", async () => {
  const place = { image: true, subvolume: true } as const;
  for (
    const [choice, type] of [["auto", "btrfs"], ["btrfs", "btrfs"], ["btrfs", "ext4"]] as const
  ) {
    assert.equal(await choose({ ...place, choice, type, overlay: true }), "overlay");
    assert.equal(await choose({ ...place, choice, type, overlay: false }), "tmpfs");
  }
});

Deno.test("chooseStorage() refuses btrfs where no snapshot can be made", async () => {
  const place = { choice: "btrfs", overlay: true } as const;
  for (const [type, subvolume] of [["ext4", false], ["btrfs", false], ["xfs", true]] as const) {
    await assert.rejects(choose({ ...place, type, subvolume }), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.kind, "refused");
      return true;
    });
  }
});

Deno.test("chooseStorage() follows a link to the store", async () => {
  const mounts = [{ point: "/", type: "ext4" }, { point: "/data", type: "btrfs" }];
  const facts: KernelFacts = { boot: "b", stat: "", uptime: null, cgroup: "/", mounts, links: [] };
  const { host } = recordingHost();
  const chosen = (store: string, real: string | null) => {
    const stat = { kind: "directory", ino: 256 } as Stat;
    const files = {
      ...host.files,
      real: () => Promise.resolve(real),
      lstat: () => Promise.resolve(stat),
    };
    const there = { ...host, files };
    return chooseStorage(there, facts, {
      choice: "btrfs",
      store,
      folder: `${store}/.machines/x`,
      base: { path: `${store}/c`, lower: treeAsLower(`${store}/c`) },
      isLimited: false,
    });
  };
  assert.equal((await chosen("/link", "/data/store")).kind, "btrfs");
  assert.equal((await chosen("/data/store", null)).kind, "btrfs");
  await assert.rejects(chosen("/data/link", "/elsewhere"), { message: /the store is on ext4$/ });
});

for (const [code, kind] of [[0, "overlay"], [32, "tmpfs"]] as const) {
  Deno.test(`chooseStorage() tries an overlay once, and leaves nothing of the probe that ends with ${code}`, async () => {
    await inFolder(async (folder) => {
      const machine = `${folder}/it's :$x`;
      const { host, processes } = standaloneHost(folder, (argv) => {
        if (argv[0] !== "unshare") return;
        // The folders exist while the probe runs, and their path is an argument, not shell text.
        for (const name of ["lower", "upper", "work"]) Deno.statSync(`${machine}/${name}`);
        assert.equal(argv.at(-1), machine);
        assert.ok(!argv[4]!.includes(folder));
        return { code, stderr: "control succeeded\n" };
      });
      const facts = {
        boot: "b",
        uptime: null,
        stat: "",
        cgroup: "/",
        mounts: [{ point: "/", type: "ext4" }],
        links: [],
      };
      const choose = () =>
        chooseStorage(host, facts, {
          ...{ choice: "auto", store: folder, folder: machine, isLimited: false },
          base: { path: "/c", lower: treeAsLower("/c") },
        });
      assert.equal((await choose()).kind, kind);
      assert.equal(await host.files.lstat(machine), null);
      assert.equal((await choose()).kind, kind);
      assert.equal(processes.length, 1, "tried once per boot");
    });
  });
}
