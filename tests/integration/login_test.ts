/** chroot-login. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript } from "../hosts/site.ts";
import { onTerminal } from "../hosts/terminal.ts";
import {
  buildLeftovers,
  define,
  listed,
  outputOf,
  PATIENCE,
  smallFolder,
  succeed,
  unfinishedTrees,
  untilBuildLeftovers,
  withStore,
} from "./store.ts";

onEachHost(
  "chroot-login changes a copy while a job runs, and a failing shell changes nothing",
  async (site) => {
    await withStore(site, {}, async (own) => {
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
      assert.equal(await outputOf(own, "x", "cat /srv/mark"), "kept\n");
      assert.equal((await runScript(own, id, "ls /srv")).stdout, "", "the job keeps its tree");

      await succeed(own, "chroot-rollback", "x");
      const refused = await login("echo direct > /srv/mark\n", "--direct");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, new RegExp(`in use by run-${id}`));
      await succeed(own, "cleanup", "--id", id);
      assert.equal((await login("echo direct > /srv/mark\n", "--direct")).code, 0);
      const look = "cat /srv/mark; stat --format=%u /srv/mark";
      assert.equal(await outputOf(own, "x", look), "direct\n0\n", "and machines own what is new");
      assert.deepEqual((await listed(own, "x"))?.generations, [1, 2]);
      assert.equal(await unfinishedTrees(own), "");
    });
  },
);

onEachHost(
  "chroot-login asks at a terminal whether to keep the changes, and accepts no",
  async (site) => {
    await withStore(site, {}, async (own) => {
      await define(own, "x", `source = "dir:${await smallFolder(site)}"\n`);
      await succeed(own, "chroot-create", "x");
      const words = own.words(["chroot-login", "x"]).join(" ");
      const answers = [["n", [1]], ["", [1, 2]]] as const;
      for (const [answer, generations] of answers) {
        const done = await onTerminal(own, words, [
          ["# ", "echo mark > /srv/mark; exit 1"],
          ["Keep the changes", answer],
        ]);
        assert.match(done.stdout, /Keep the changes, as the new generation of x\? \[Y\/n\]/);
        assert.deepEqual((await listed(own, "x"))?.generations, generations, done.stdout);
      }
      assert.equal(await outputOf(own, "x", "cat /srv/mark"), "mark\n");
    });
  },
  ["standalone"],
);

/** A setup whose second run takes longer than the test. */
const SLOW_AGAIN = "[ ! -e /srv/made ] || sleep 600; touch /srv/made";

onEachHost(
  "the next build removes the leftovers of a killed login or maintenance, and nothing of a running one",
  async (site) => {
    await withStore(site, {}, async (own) => {
      const setup = `setup = ["${SLOW_AGAIN}"]`;
      await define(own, "x", `source = "dir:${await smallFolder(site)}"\n${setup}\n`);
      await succeed(own, "chroot-create", "x");
      const killed = [
        [["chroot-login", "x"], "in it"],
        [["chroot-maintenance", "x"], "Running ["],
      ] as const;
      for (const [words, step] of killed) {
        const running = own.start(words, { stdin: "echo in it; exec sleep 600\n" });
        await running.untilPrinted(step);
        await untilBuildLeftovers(own, /run-build-\d+$/m);
        const alive = await buildLeftovers(own);
        await succeed(own, "gc");
        assert.equal(await buildLeftovers(own), alive);
        await own.host.signal(running, "SIGKILL");
        const again = await own.call(["chroot-login", "x"], { ...PATIENCE, stdin: "echo again\n" });
        assert.deepEqual([again.code, again.stdout], [0, "again\n"], again.stderr);
        await untilBuildLeftovers(own, /^$/);
        await running.ended; // its payload held the pipes
      }
    });
  },
  ["systemd"],
);
