/** That a machine boots without the masked units is tested in tests/integration/machine_test.ts. */

import assert from "node:assert/strict";
import { bootMasksFor, writeGeneratorMasks } from "../../../../src/machines/nspawn/boot_masks.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const { host } = recordingHost();

async function treeWith(folder: string, tables: Record<string, string>): Promise<string> {
  await Deno.mkdir(`${folder}/etc`, { recursive: true });
  for (const [name, text] of Object.entries(tables)) {
    await Deno.writeTextFile(`${folder}/etc/${name}`, text);
  }
  return folder;
}

Deno.test("bootMasksFor() masks no generator whose table has an entry", async () => {
  await inFolder(async (folder) => {
    const tables = { crypttab: "# <target name>\n\n", veritytab: "#\nroot /dev/a /dev/b 00\n" };
    const { generators } = await bootMasksFor(host, await treeWith(folder, tables));
    assert.ok(generators.includes("systemd-cryptsetup-generator"));
    assert.ok(generators.includes("systemd-integritysetup-generator"));
    assert.ok(!generators.includes("systemd-veritysetup-generator"));
  });
});

Deno.test("bootMasksFor() does not mask the remount unit where fstab(5) has an entry, or is not a plain file", async () => {
  await inFolder(async (folder) => {
    const remounts = async (fstab: string) => {
      const tree = await treeWith(folder, { fstab });
      return !(await bootMasksFor(host, tree)).units.includes("systemd-remount-fs.service");
    };
    assert.equal(await remounts("# UNCONFIGURED\n"), false);
    assert.equal(await remounts("tmpfs /dev/shm tmpfs size=1m\n"), true);
    assert.equal(await remounts("#".repeat(5000)), true);
    await Deno.remove(`${folder}/etc/fstab`);
    assert.ok((await bootMasksFor(host, folder)).units.includes("systemd-remount-fs.service"));
    await Deno.symlink("/etc/fstab", `${folder}/etc/fstab`);
    assert.ok(!(await bootMasksFor(host, folder)).units.includes("systemd-remount-fs.service"));
  });
});

Deno.test("bootMasksFor() masks the generator of fstab(5) where it has no entry", async () => {
  await inFolder(async (folder) => {
    const masks = async (fstab: string) =>
      (await bootMasksFor(host, await treeWith(folder, { fstab }))).generators
        .includes("systemd-fstab-generator");
    assert.equal(await masks("# UNCONFIGURED\n"), true);
    assert.equal(await masks("tmpfs /srv tmpfs size=1m\n"), false);
  });
});

Deno.test("bootMasksFor() masks what would hide /tmp, manage the network, or wait for it or for a person", async () => {
  await inFolder(async (folder) => {
    const { units } = await bootMasksFor(host, folder);
    const expected = [
      "tmp.mount",
      "systemd-networkd.service",
      "NetworkManager-wait-online.service",
      "systemd-ask-password-console.path",
      "systemd-ask-password-wall.path",
    ];
    assert.deepEqual(expected.filter((unit) => !units.includes(unit)), []);
  });
});

Deno.test("bootMasksFor() follows no link to a table of the host", async () => {
  await inFolder(async (folder) => {
    const hosts = await treeWith(`${folder}/hosts`, { fstab: "#\n" });
    await Deno.mkdir(`${folder}/tree`);
    await Deno.symlink(`${hosts}/etc`, `${folder}/tree/etc`);
    const { units, generators } = await bootMasksFor(host, `${folder}/tree`);
    assert.ok(!units.includes("systemd-remount-fs.service"));
    assert.ok(!generators.includes("systemd-cryptsetup-generator"));
  });
});

Deno.test("writeGeneratorMasks() creates links that every user of a machine can follow", async () => {
  await inFolder(async (folder) => {
    await writeGeneratorMasks(host, folder, { units: [], generators: ["systemd-run-generator"] });
    const link = `${folder}/generators/systemd-run-generator`;
    assert.equal(await Deno.readLink(link), "/dev/null");
    assert.equal((await Deno.stat(`${folder}/generators`)).mode! & 0o777, 0o755);
  });
});
