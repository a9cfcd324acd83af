import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { IDMAP_PROBE_SCRIPT } from "../../../../src/machines/record/ids.ts";
import { makeImageFolders } from "../../../../src/machines/storage/image_folders.ts";
import { overlay } from "../../../../src/machines/storage/overlay.ts";
import { tree } from "../../../../src/machines/storage/tree.ts";
import type { Root } from "../../../../src/machines/storage/storage.ts";
import { shiftArgv } from "../../../../src/machines/storage/shifted/shift.ts";
import { skip } from "../../../skip.ts";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { inOwnMounts } from "../../../../src/linux/mounts.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { inMachine, MIB, mountingHost } from "./mounting_host.ts";

const FIRST = 0x4000_0000;

/** Runs a program where nspawn would start; its argument is the root. */
function inRoot({ options, mount }: Root, script: string) {
  const root = options[0]!.replace("--directory=", "");
  const { capture } = denoProcesses(recordingHost().host.log);
  return capture(inOwnMounts([mount], ["sh", "-uc", script, "sh", root]));
}

/** A device that any user may open. */
async function makeZero(path: string): Promise<void> {
  const { capture } = denoProcesses(recordingHost().host.log);
  const { code, stderr } = await capture(["mknod", "-m", "0666", path, "c", "1", "5"]);
  assert.equal(code, 0, stderr);
}

/** Whether the node opens, then whether it is there. */
const OPEN_ZERO = 'head -c 1 "$1/zero" >/dev/null; echo "$?"; test -c "$1/zero"; echo "$?"';

Deno.test("overlay.root() keeps what a machine writes out of the chroot, and opens no device of the chroot", async () => {
  const name = "overlay.root() opens no device of the chroot";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [chroot, machine] = [`${folder}/it's :$x,y`, `${folder}/machine`];
    for (const path of [chroot, machine]) await Deno.mkdir(path);
    await Deno.writeTextFile(`${chroot}/file`, "content");
    await makeZero(`${chroot}/zero`);
    await overlay.create(recordingHost().host, treeAsLower(chroot), machine, null, null);
    assert.equal((await Deno.stat(`${machine}/upper`)).mode! & 0o777, 0o755);
    const root = overlay.root(treeAsLower(chroot), machine, null);
    assert.deepEqual(root.options, [`--directory=${machine}/root`]);
    const write = 'cat "$1/file"; echo; echo new >"$1/file";';
    const { stdout, stderr } = await inRoot(root, write + OPEN_ZERO);
    if (/mount/.test(stderr)) return skip(name, stderr);
    assert.equal(stdout, "content\n1\n0\n", stderr);
    assert.match(stderr, /Permission denied/);
    assert.equal(await Deno.readTextFile(`${chroot}/file`), "content");
    assert.equal(await Deno.readTextFile(`${machine}/upper/file`), "new\n");
  });
});

Deno.test("overlay.root() waits for no disk on fsync(2), also when it is mounted again", async () => {
  const name = "overlay.root() waits for no disk on fsync(2)";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [chroot, machine] = [`${folder}/chroot`, `${folder}/machine`];
    for (const path of [chroot, machine]) await Deno.mkdir(path);
    await overlay.create(recordingHost().host, treeAsLower(chroot), machine, null, null);
    const root = overlay.root(treeAsLower(chroot), machine, null);
    const write = 'dd if=/dev/zero of="$1/file" bs=1 count=1 oflag=sync status=none; ';
    for (let time = 0; time < 2; time++) {
      const { code, stdout, stderr } = await inRoot(
        root,
        `${write} grep "^overlay $1 " /proc/mounts`,
      );
      if (/mount/.test(stderr)) return skip(name, stderr);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /\bvolatile\b/, "Linux 5.10");
    }
  });
});

Deno.test("overlay.root() with own ids has its paths as arguments, not as shell text", () => {
  const root = overlay.root(treeAsLower("/chroots/$(x)"), "/m/run-42", FIRST);
  assert.deepEqual(root.mount.args, [
    "/m/run-42",
    "/chroots/$(x)",
    `X-mount.idmap=b:0:${FIRST}:1048576`,
    "",
    "nodev,lowerdir=.,upperdir=../upper,workdir=../work",
  ]);
  assert.ok(!root.mount.script.includes("$(x)"));
  assert.deepEqual(root.options, ["--directory=/m/run-42/root", "--private-users-ownership=off"]);
});

Deno.test("overlay.root() with a shifted layer puts it between the chroot and the upper layer", () => {
  const root = overlay.root(treeAsLower("/c"), "/m/run-42", FIRST, "/s/1-1/7");
  const [options, ...others] = root.mount.args.toReversed();
  assert.deepEqual(others.toReversed(), ["/m/run-42", "/c", "", "/s/1-1/7/upper"]);
  assert.match(options!, /metacopy=on.*lowerdir=\.\.\/shifted:\.,upperdir=/);
  assert.deepEqual(root.options, ["--directory=/m/run-42/root", "--private-users-ownership=off"]);
});

Deno.test("overlay.root() with own ids starts nspawn where the chroot's owners are mapped", async () => {
  const name = "overlay.root() with own ids starts nspawn";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [chroot, machine] = [`${folder}/chroot`, `${folder}/machine`];
    for (const path of [chroot, machine]) await Deno.mkdir(path);
    await Deno.writeTextFile(`${chroot}/file`, "content");
    const { host } = recordingHost();
    const { capture } = denoProcesses(host.log);
    const mapped = ["sh", "-c", IDMAP_PROBE_SCRIPT, "sh", chroot, `${FIRST}:1048576`, machine];
    if ((await capture(["unshare", "--mount", ...mapped])).stdout !== `${FIRST}\n`) {
      return skip(name, "mount(8) maps no owners here");
    }
    await makeZero(`${chroot}/zero`);
    await overlay.create(host, treeAsLower(chroot), machine, FIRST, null);
    const show = 'stat --format=%u "$1/file"; cat "$1/file"; echo; echo new >"$1/new";';
    const root = overlay.root(treeAsLower(chroot), machine, FIRST);
    const { stdout, stderr } = await inRoot(root, show + OPEN_ZERO);
    assert.equal(stdout, `${FIRST}\ncontent\n1\n0\n`, stderr);
    assert.equal(await Deno.readTextFile(`${machine}/upper/new`), "new\n");
    assert.deepEqual(await host.files.list(`${machine}/root`), [], "no mount is left on the host");
  });
});

Deno.test("overlay.create() with a limit creates a disk, which overlay.move() moves", () =>
  inMachine(async (folder, { host, processes, mounted }) => {
    const disk = folder.replace(".machines", ".disks");
    await overlay.create(host, treeAsLower("/c"), folder, null, 32 * MIB);
    assert.deepEqual(processes[0]!.argv.slice(-3), [disk, `${32 * MIB}`, folder]);
    assert.match(processes[0]!.argv[2]!, /mkfs\.ext4 .*\n.*\nmount -o loop,nodev/);
    await Deno.writeTextFile(disk, "");
    const held = folder.replace("run-", "held-");
    await overlay.move(host, folder, held);
    assert.deepEqual([...mounted], [held]);
    await Deno.stat(disk.replace("run-", "held-"));
    await overlay.move(host, folder, held); // again, as after a kill
    assert.deepEqual([...mounted], [held]);
  }));

Deno.test("overlay without a limit starts no process", () =>
  inMachine(async (folder, { host, commands }) => {
    await overlay.create(host, treeAsLower("/c"), folder, null, null);
    assert.deepEqual(commands(), []);
  }));

Deno.test("overlay.create() suggests another storage where no disk can be created", () =>
  inMachine(async (folder) => {
    const { host } = mountingHost(() => ({ code: 1, stderr: "mount: no loop devices\n" }));
    await assert.rejects(overlay.create(host, treeAsLower("/c"), folder, null, 2048 * MIB), {
      kind: "host",
      message: "Cannot make a disk of 2.0 GiB for the machine: mount: no loop devices",
      hint: /storage = "tmpfs"/,
    });
  }));

Deno.test("overlay.root() with a shifted layer shows shifted owners and the chroot's content", async () => {
  const name = "overlay.root() with a shifted layer shows shifted owners";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [chroot, layer, machine] = ["chroot", "layer", "machine"].map((p) => `${folder}/${p}`);
    for (const path of [chroot!, layer!, machine!]) await Deno.mkdir(path);
    await Deno.writeTextFile(`${chroot}/file`, "content");
    await makeZero(`${chroot}/zero`);
    const { host } = recordingHost();
    const { capture } = denoProcesses(host.log);
    const shifted = await capture(shiftArgv(layer!, treeAsLower(chroot!), FIRST));
    if (shifted.code !== 0) return skip(name, shifted.stderr);
    await overlay.create(host, treeAsLower(chroot!), machine!, FIRST, null);
    const show = 'stat --format=%u "$1/file"; cat "$1/file"; echo;';
    const root = overlay.root(treeAsLower(chroot!), machine!, FIRST, layer);
    const { stdout, stderr } = await inRoot(root, show + OPEN_ZERO);
    assert.equal(stdout, `${FIRST}\ncontent\n1\n0\n`, stderr);
  });
});

/** Fills `$1/N/diff` for each layer N from 1, the lowest one, to `$2`, and links to them as `l/N` as the image store has. */
const FILL_LAYERS = `
cd "$1"
mkdir l
for number in $(seq "$2"); do
  mkdir -p "$number/diff/same" "$number/diff/$number"
  ln -s "../$number/diff" "l/a-name-of-26-characters-$number"
  echo "$number" >"$number/diff/same/file"
done
echo old >1/diff/gone
mknod 2/diff/gone c 0 0
`;

for (const isShifted of [false, true]) {
  Deno.test(`overlay.root() of 120 layers has all of them, the top one first${isShifted ? ", over a shifted layer" : ""}`, async () => {
    const name = `overlay.root() of 120 layers, shifted: ${isShifted}`;
    if (Deno.uid() !== 0) return skip(name, "not root");
    await inFolder(async (folder) => {
      const [store, layer, machine] = ["store", "layer", "machine"].map((p) => `${folder}/${p}`);
      for (const path of [store!, layer!, machine!]) await Deno.mkdir(path);
      const { host } = recordingHost();
      const { capture } = denoProcesses(host.log);
      const filled = await capture(["sh", "-euc", FILL_LAYERS, "sh", store!, "120"]);
      assert.equal(filled.code, 0, filled.stderr);
      const layers = Array.from(
        { length: 120 },
        (_, at) => `l/a-name-of-26-characters-${120 - at}`,
      );
      const lower = { folder: store!, layers };
      const shifted = isShifted ? await capture(shiftArgv(layer!, lower, FIRST)) : null;
      if (shifted !== null && shifted.code !== 0) return skip(name, shifted.stderr);
      const ids = isShifted ? FIRST : null;
      await overlay.create(host, lower, machine!, ids, null);
      const show = 'cd "$1"; cat same/file; ls | wc -l; stat -c %u same/file';
      const root = overlay.root(lower, machine!, ids, isShifted ? layer : null);
      const { stdout, stderr } = await inRoot(root, show);
      if (/mount:.*overlay/.test(stderr)) return skip(name, stderr);
      assert.equal(stdout, `120\n121\n${ids ?? 0}\n`, stderr);
    });
  });
}

Deno.test("makeImageFolders() hides what an image has in the place of the machine's folders", async () => {
  const name = "makeImageFolders() hides what an image has";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const [image, machine] = [`${folder}/image`, `${folder}/machine`];
    for (const path of [`${image}/usr/bin`, machine]) await Deno.mkdir(path, { recursive: true });
    const names = ["builds", "cache", "dev", "etc", "proc", "run", "sys", "tmp"];
    for (const name of names) await Deno.symlink(folder, `${image}/${name}`);
    const { host } = recordingHost();
    await overlay.create(host, treeAsLower(image), machine, null, null);
    await makeImageFolders(host, `${machine}/upper`, null);
    const show = 'cd "$1"; stat -c "%n %F %a" *; ls usr etc; echo x >tmp/new';
    const { stdout, stderr } = await inRoot(overlay.root(treeAsLower(image), machine, null), show);
    if (/mount/.test(stderr)) return skip(name, stderr);
    const listed = ["etc:", "hosts", "resolv.conf", "", "usr:", "bin"];
    const folders = names.map((name) => `${name} directory ${name === "tmp" ? 1777 : 755}`);
    assert.equal(stdout, `${[...folders, "usr directory 755", ...listed].join("\n")}\n`, stderr);
    assert.deepEqual(await host.files.list(folder), ["image", "machine"], "no link was followed");
  });
});

for (const storage of [overlay, tree]) {
  Deno.test(`${storage.kind}.root() refuses links on which systemd-nspawn would mount`, async () => {
    const name = `${storage.kind}.root() refuses links`;
    if (Deno.uid() !== 0) return skip(name, "not root");
    await inFolder(async (folder) => {
      const [chroot, machine] = [`${folder}/chroot`, `${folder}/machine`];
      for (const path of [chroot, machine]) await Deno.mkdir(path);
      await overlay.create(recordingHost().host, treeAsLower(chroot), machine, null, null);
      const start = () => inRoot(storage.root(treeAsLower(chroot), machine, null), "echo started");
      const first = await start();
      if (/mount/.test(first.stderr)) return skip(name, first.stderr);
      assert.equal(first.stdout, "started\n");
      for (const link of ["dev", "proc", "run", "sys"]) {
        await Deno.symlink(folder, `${chroot}/${link}`);
        const { code, stdout, stderr } = await start();
        assert.deepEqual([code, stdout], [1, ""]);
        assert.match(stderr, new RegExp(`a link in the place of /${link}`));
        await Deno.remove(`${chroot}/${link}`);
      }
    });
  });
}
