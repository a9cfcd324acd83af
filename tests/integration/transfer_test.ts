/** chroot-export and chroot-import. */

import assert from "node:assert/strict";
import { must } from "../hosts/command.ts";
import { onBothHosts } from "../hosts/shared.ts";
import { newJob } from "../hosts/site.ts";
import {
  define,
  listed,
  outputOf,
  smallFolder,
  succeed,
  unfinishedTrees,
  withStore,
} from "./store.ts";

/** Damages of an exported file, each with the error message. */
const DAMAGES: readonly (readonly [string, RegExp])[] = [
  ["echo more >> definition.toml", /a checksum does not match/],
  ["echo more >> root.tar", /a checksum does not match/],
  ["sed -i /root.tar/d SHA256SUMS", /its checksums are incomplete/],
  ["rm SHA256SUMS", /SHA256SUMS is missing/],
  ["echo evil > evil", /evil does not belong there/],
  ["rm root.tar; ln -s /etc/passwd root.tar", /root.tar does not belong there/],
  [
    "echo {} > nspawn-runner.json; sha256sum *.* > SHA256SUMS",
    /it is not an export of nspawn-runner/,
  ],
];

onBothHosts(
  "a chroot is exported to one file with its definition, and a damaged file is refused",
  async (from, to) => {
    await withStore(from, {}, (here) =>
      withStore(to, {}, async (there) => {
        const definition = `source = "dir:${await smallFolder(from)}"
setup = ["echo one > /srv/mark"]
playbook = "plays/shared.yaml"
aliases = ["other"]
`;
        await here.host.exec(["mkdir", `${here.definitions}/plays`]);
        await here.put("- hosts: all\n  tasks: []\n", `${here.definitions}/plays/shared.yaml`);
        await define(here, "x", definition.replace(/^playbook.*\n/m, ""));
        await succeed(here, "chroot-create", "x");
        await define(here, "x", definition);
        const sent = `${from.host.store}/.tests/x-${newJob()}.tar.zst`;
        await succeed(here, "chroot-export", "x", sent);
        const file = `${to.host.store}/.tests/x-${newJob()}.tar.zst`;
        await Deno.copyFile(from.host.outerPath(sent), to.host.outerPath(file));
        assert.equal((await to.host.exec(["stat", "-c", "%a", sent.replace(sent, file)])).code, 0);

        const folder = `${file}.unpacked`;
        for (const [change, reason] of DAMAGES) {
          const script =
            `mkdir ${folder}; cd ${folder}; tar -xf ${file}; ${change}; tar -c --zstd -f ../bad nspawn-runner.json $(ls | grep -v nspawn-runner.json); cd ..; rm -r ${folder}; mv bad ${file}.bad`;
          await must(["sh", "-euc", script.replaceAll(file, to.host.outerPath(file))]);
          const refused = await there.call(["chroot-import", `${file}.bad`, "x"]);
          assert.equal(refused.code, 1, `${change}\n${refused.stderr}`);
          assert.match(refused.stderr, reason);
        }
        await to.host.exec(["sh", "-c", `head -c 100000 ${file} > ${file}.bad`]);
        assert.match(
          (await there.call(["chroot-import", `${file}.bad`, "x"])).stderr,
          /cannot be unpacked/,
        );
        assert.equal((await there.call(["chroot-list"])).stdout, "");
        assert.equal(await unfinishedTrees(there), "");

        await succeed(there, "chroot-import", file);
        assert.equal(
          await outputOf(there, "other", "cat /srv/mark"),
          "one\n",
          "its alias came along",
        );
        const laid = await to.host.exec([
          "cat",
          `${there.definitions}/x.toml`,
          `${there.definitions}/plays/shared.yaml`,
        ]);
        assert.equal(laid.stdout, `${definition}- hosts: all\n  tasks: []\n`);
        assert.equal((await listed(there, "x"))?.origin, (await listed(here, "x"))?.origin);
        await define(there, "x", "shell = 'sh'\n");
        await succeed(there, "chroot-import", file);
        assert.deepEqual((await listed(there, "x"))?.generations, [1, 2]);
        const kept = await to.host.exec(["cat", `${there.definitions}/x.toml`]);
        assert.equal(kept.stdout, "shell = 'sh'\n", "a definition that is there stays");
        await succeed(there, "chroot-import", file, "y");
        assert.equal(await outputOf(there, "y", "cat /srv/mark"), "one\n");
      }));
  },
);
