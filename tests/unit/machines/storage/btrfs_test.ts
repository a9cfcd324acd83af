import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { denoProcesses } from "../../../../src/host/processes.ts";
import { inOwnMounts } from "../../../../src/linux/mounts.ts";
import { btrfs } from "../../../../src/machines/storage/btrfs.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

Deno.test("btrfs.create() makes a snapshot of the chroot", async () => {
  await inFolder(async (folder) => {
    const machine = `${folder}/machine`;
    await Deno.mkdir(machine);
    const { host, commands } = recordingHost();
    await btrfs.create(host, treeAsLower("/store/c"), machine, null, null);
    const { options } = btrfs.root(treeAsLower("/store/c"), machine, null);
    assert.deepEqual(options, [`--directory=${machine}/root`]);
    assert.deepEqual(commands(), [`btrfs subvolume snapshot /store/c ${machine}/root`]);
  });
});

Deno.test("btrfs.makeLimited() makes a subvolume to which the machine's limit applies", async () => {
  const { host, processes } = recordingHost();
  await btrfs.makeLimited!(host, "/m", "/m/shared");
  const [create, join] = processes.map(({ argv }) => argv);
  assert.deepEqual(create, ["btrfs", "subvolume", "create", "/m/shared"]);
  assert.deepEqual(join!.slice(-2), ["/m/root", "/m/shared"]);
  const { host: other } = recordingHost({
    answer: ([program]) => program === "sh" ? { code: 1, stderr: "ERROR: no\n" } : {},
  });
  await assert.rejects(btrfs.makeLimited!(other, "/m", "/m/b c"), {
    kind: "host",
    message: "Cannot limit subvolume /m/b c: ERROR: no",
  });
});

Deno.test("btrfs.root() opens no device of the chroot, in a namespace that receives what the host unmounts", async () => {
  const { mount } = btrfs.root(treeAsLower("/c"), "/m/run-42", null);
  const words = inOwnMounts([mount], ["systemd-nspawn", "--quiet"]);
  assert.deepEqual(words.slice(0, 3), ["unshare", "--mount", "--propagation=slave"]);
  assert.deepEqual(words.slice(-3), ["/m/run-42/root", "systemd-nspawn", "--quiet"]);
  const name = "btrfs.root() opens no device of the chroot";
  if (Deno.uid() !== 0) return skip(name, "not root");
  await inFolder(async (folder) => {
    const { capture } = denoProcesses(recordingHost().host.log);
    const root = `${folder}/it's :$x,y/root`;
    await Deno.mkdir(root, { recursive: true });
    await capture(["mknod", "-m", "0666", `${root}/zero`, "c", "1", "5"]);
    assert.equal((await capture(["head", "-c", "1", `${root}/zero`])).code, 0);
    const open = ["head", "-c", "1", `${root}/zero`] as const;
    const { mount } = btrfs.root(treeAsLower("/c"), `${folder}/it's :$x,y`, null);
    const { stderr } = await capture(inOwnMounts([mount], open));
    assert.match(stderr, /Permission denied/);
  });
});

Deno.test("btrfs.root() with own ids has nspawn map the owners", () => {
  assert.deepEqual(btrfs.root(treeAsLower("/c"), "/m/run-42", 0x6000_0000).options, [
    "--directory=/m/run-42/root",
    "--private-users-ownership=map",
  ]);
});
