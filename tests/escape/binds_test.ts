/** Links that a job leaves in a folder of the host that it writes to. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, runScript, type Site } from "../hosts/site.ts";
import { define, PATIENCE, smallFolder, succeed, withStore } from "../integration/store.ts";

/** Puts a link to the host's secrets in the place of the folder that other chroots get. */
const SWAP = (secrets: string) => `mv /jobs/tools /jobs/was && ln -s ${secrets} /jobs/tools\n`;

/** Runs a script in a machine of a chroot, and returns its output; null where the machine is refused. */
async function inMachine(own: Site, chroot: string, script: string): Promise<string | null> {
  const id = newJob();
  const prepared = await own.call(["prepare", chroot, "--id", id], PATIENCE);
  if (prepared.code !== 0) {
    assert.match(prepared.stderr, /^nspawn-runner: Cannot bind .*jobs can replace it/m);
    return null;
  }
  try {
    return (await runScript(own, id, script)).stdout;
  } finally {
    await succeed(own, "cleanup", "--id", id);
  }
}

onEachHost(
  "no link that a job leaves in a folder of the host is followed for jobs and builds of other chroots",
  async (site) => {
    const folder = `${site.host.store}/.tests/shared-${newJob()}`;
    const secrets = `${site.host.store}/.tests/secrets-${newJob()}`;
    const lay = `mkdir -p ${folder}/tools ${secrets}; ln -s ${folder}/tools ${folder}-link
echo tool >${folder}/tools/file; echo secret >${secrets}/file; chmod 700 ${secrets}`;
    await site.host.exec(["sh", "-c", lay]);
    await withStore(site, {}, async (own) => {
      await own.host.exec([
        "sh",
        "-c",
        `mkdir -p ${own.store} && cd ${own.store} &&
for name in writes reads linked; do ln -s ${site.store}/${CHROOT} $name; done`,
      ]);
      await define(own, "writes", `binds = ["${folder}:/jobs"]\n`);
      await define(own, "reads", `binds = ["${folder}/tools:/tools:ro"]\n`);
      await define(own, "linked", `binds = ["${folder}-link:/tools:ro"]\n`);
      const root = await smallFolder(site);
      const copy = `copy = { "${folder}/tools/file" = "/srv/file" }\n`;
      await define(own, "built", `source = "dir:${root}"\n${copy}`);

      assert.equal(await inMachine(own, "writes", SWAP(secrets)), "");
      for (const name of ["reads", "linked"]) {
        assert.equal(await inMachine(own, name, "cat /tools/file\n"), null, name);
      }
      const refused = await own.call(["chroot-create", "built"], PATIENCE);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /jobs can replace it, since they write to/);

      // Without the definition that lets jobs write there, the host follows the link.
      await own.host.exec(["rm", `${own.definitions}/writes.toml`]);
      for (const name of ["reads", "linked"]) {
        assert.equal(await inMachine(own, name, "cat /tools/file\n"), "secret\n", name);
      }
      await succeed(own, "chroot-create", "built");
      const copied = await own.host.exec(["cat", `${own.store}/built/srv/file`]);
      assert.equal(copied.stdout, "secret\n");
      await own.host.exec(["rm", "-rf", root]);
    });
    await site.host.exec(["rm", "-rf", folder, secrets, `${folder}-link`]);
  },
);
