/** Shells in chroots. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript } from "../hosts/site.ts";
import { define, halfMade, listed, PATIENCE, said, smallFolder, succeed, withOwn } from "./own.ts";

onEachHost(
  "chroot-login changes a copy while a job runs, and a failing shell changes nothing",
  async (site) => {
    await withOwn(site, {}, async (own) => {
      await define(own, "x", `source = "dir:${await smallFolder(site)}"\n`);
      await succeed(own, "chroot-create", "x");
      const id = newJob();
      await succeed(own, "prepare", "x", "--id", id);
      const login = (script: string, ...more: string[]) =>
        own.call(["chroot-login", "x", ...more], { ...PATIENCE, stdin: script });

      const failed = await login("echo bad > /srv/mark; exit 7\n");
      assert.deepEqual(
        [failed.code, (await listed(own, "x"))?.generations],
        [7, [1]],
        failed.stderr,
      );
      const kept = await login("echo kept > /srv/mark; echo said\n");
      assert.deepEqual([kept.code, kept.stdout], [0, "said\n"], kept.stderr);
      assert.deepEqual((await listed(own, "x"))?.generations, [1, 2]);
      assert.equal(await said(own, "x", "cat /srv/mark"), "kept\n");
      assert.equal((await runScript(own, id, "ls /srv")).stdout, "", "the job keeps its tree");

      await succeed(own, "chroot-rollback", "x");
      const refused = await login("echo direct > /srv/mark\n", "--direct");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, new RegExp(`in use by run-${id}`));
      await succeed(own, "cleanup", "--id", id);
      assert.equal((await login("echo direct > /srv/mark\n", "--direct")).code, 0);
      const look = "cat /srv/mark; stat --format=%u /srv/mark";
      assert.equal(await said(own, "x", look), "direct\n0\n", "and machines own what is new");
      assert.deepEqual((await listed(own, "x"))?.generations, [1, 2]);
      assert.equal(await halfMade(own), "");
    });
  },
);

onEachHost("chroot-login asks at a terminal, and takes no for an answer", async (site) => {
  await withOwn(site, {}, async (own) => {
    await define(own, "x", `source = "dir:${await smallFolder(site)}"\n`);
    await succeed(own, "chroot-create", "x");
    const words = own.words(["chroot-login", "x"]).join(" ");
    const answers = [["n", [1]], ["", [1, 2]]] as const;
    for (const [answer, generations] of answers) {
      // Typed when it is asked for: a terminal hands what was typed too early to the shell.
      const typed =
        `{ sleep 3; echo 'echo mark > /srv/mark; exit 1'; sleep 3; echo '${answer}'; sleep 1; }`;
      const done = await own.host.exec(
        ["sh", "-c", `${typed} | script -qec '${words}' /dev/null`],
        PATIENCE,
      );
      assert.match(done.stdout, /Keep the changes, as the new generation of x\? \[Y\/n\]/);
      assert.deepEqual((await listed(own, "x"))?.generations, generations, done.stdout);
    }
    assert.equal(await said(own, "x", "cat /srv/mark"), "mark\n");
  });
}, ["standalone"]);
