import assert from "node:assert/strict";
import { denoFiles } from "../../../src/host/files.ts";
import { denoProcesses } from "../../../src/host/processes.ts";
import { removeUntrustedTree } from "../../../src/linux/untrusted_tree.ts";
import { skip } from "../../skip.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

const { host } = recordingHost({ real: ["sh", "chattr"] });

Deno.test("removeUntrustedTree() removes a tree with more levels than open files are allowed", async () => {
  await inFolder(async (folder) => {
    const deep =
      'cd "$1" && i=0; while [ $i -lt 4000 ]; do mkdir d && cd d || exit; i=$((i + 1)); done';
    await host.processes.capture(["sh", "-c", `ulimit -n 64; ${deep}`, "sh", folder]);
    await Deno.mkdir(`${folder}/d/d/other`);
    await removeUntrustedTree(host, `${folder}/d`);
    assert.equal(await denoFiles().lstat(`${folder}/d`), null);
    await removeUntrustedTree(host, `${folder}/d`);
  });
});

Deno.test("removeUntrustedTree() removes immutable and append-only files", async () => {
  await inFolder(async (folder) => {
    const tree = `${folder}/it's a tree`;
    await Deno.mkdir(`${tree}/below`, { recursive: true });
    await Deno.writeTextFile(`${tree}/below/file`, "");
    await host.processes.capture(["chattr", "+i", `${tree}/below/file`]);
    await host.processes.capture(["chattr", "+a", `${tree}/below`]);
    await removeUntrustedTree(host, tree);
    assert.equal(await denoFiles().lstat(tree), null);
  });
});

Deno.test("removeUntrustedTree() follows no link out of the tree", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/tree`);
    await Deno.writeTextFile(`${folder}/precious`, "");
    await Deno.symlink(folder, `${folder}/tree/out`);
    await removeUntrustedTree(host, `${folder}/tree`);
    assert.ok(await denoFiles().lstat(`${folder}/precious`));
  });
});

/** Argument: the root of a new btrfs. Creates subvolumes as a job can: the ioctls are those of its owner. */
const HIDE_SUBVOLUMES = `
import fcntl, os, struct, sys
def create(folder, name):
    fcntl.ioctl(folder, 0x5000940E, bytearray(struct.pack("q4088s", 0, name)))
    return os.open(name, os.O_RDONLY, dir_fd=folder)
def lock(subvolume):
    fcntl.ioctl(subvolume, 0x4008941A, struct.pack("Q", 2))
root = create(os.open(sys.argv[1], os.O_RDONLY), b"root")
os.mkdir("many", dir_fd=root)
many = os.open("many", os.O_RDONLY, dir_fd=root)
for number in range(300): os.close(create(many, b"-\\xff\\n%d" % number))
nested, chain = root, []
for number in range(5):
    nested = create(nested, b"in \\xfe%d" % number)
    os.close(os.open("file", os.O_CREAT, dir_fd=nested))
    chain.append(nested)
deep = root
for number in range(30):
    os.mkdir("d" * 200, dir_fd=deep)
    deep = os.open("d" * 200, os.O_RDONLY, dir_fd=deep)
deep = create(deep, b"deep")
inner = create(deep, b"inner")
os.close(os.open("file", os.O_CREAT, dir_fd=inner))
for subvolume in [*chain, inner, deep, root]: lock(subvolume)
`;

const MOUNT_BTRFS =
  'truncate -s 200M "$1/image" && mkfs.btrfs -q "$1/image" && mkdir "$1/btrfs" && ' +
  'mount -o loop "$1/image" "$1/btrfs"';

Deno.test("removeUntrustedTree() removes subvolumes of any name and depth, also read-only ones", async () => {
  const name = "removeUntrustedTree() removes subvolumes";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const { capture } = denoProcesses(host.log);
    const mounted = await capture(["sh", "-c", MOUNT_BTRFS, "sh", folder]);
    if (mounted.code !== 0) return skip(name, mounted.stderr);
    try {
      const tree = `${folder}/btrfs/run-42`;
      await Deno.mkdir(tree);
      const hidden = await capture(["python3", "-c", HIDE_SUBVOLUMES, tree]);
      if (hidden.code !== 0) return skip(name, hidden.stderr);
      await removeUntrustedTree(host, tree);
      const { stdout } = await capture(["btrfs", "subvolume", "list", `${folder}/btrfs`]);
      assert.deepEqual([stdout, await host.files.list(`${folder}/btrfs`)], ["", []]);
    } finally {
      await capture(["umount", `${folder}/btrfs`]);
    }
  });
});
