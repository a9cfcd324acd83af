/** Shells in chroots. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript } from "../hosts/site.ts";
import { typing } from "../hosts/typing.ts";
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
      const done = await typing(own, words, [
        ["# ", "echo mark > /srv/mark; exit 1"],
        ["Keep the changes", answer],
      ]);
      assert.match(done.stdout, /Keep the changes, as the new generation of x\? \[Y\/n\]/);
      assert.deepEqual((await listed(own, "x"))?.generations, generations, done.stdout);
    }
    assert.equal(await said(own, "x", "cat /srv/mark"), "mark\n");
  });
}, ["standalone"]);

/** What machined knows of machines that are worked in, and what nspawn mounted for them before. */
const REMAINS = `cd /run/systemd && find machines nspawn/unix-export -maxdepth 1 \
  "(" -name "login-*" -o -name "setup-*" ")" 2>/dev/null | sort`;

/** Of PATH: machines whose PID 1 is dead while their unit is not, as a nspawn leaves that is killed early. */
const DEAD = `for name in 4194302 4194303; do
  systemd-run --quiet --unit=tests-$name sh -c 'sleep 300 & echo $! >"/run/$0"; wait; sleep 301' $name
  until pid=$(cat "/run/$name") && [ -n "$pid" ]; do sleep 0.1; done
  rm "/run/$name"
  busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager \
    RegisterMachine sayssus setup-$name 0 tests container "$pid" "$1"
  kill -KILL "$pid"
  shift
done`;

const ENDED = "while systemctl --quiet is-active tests-4194302; do sleep 0.1; done";

/** A second run of it takes longer than anybody waits. */
const SLOW_AGAIN = "[ ! -e /srv/made ] || sleep 600; touch /srv/made";

onEachHost(
  "what a killed login or maintenance left ends with the next work, and nothing of one that lives, nor of others",
  async (site) => {
    await withOwn(site, {}, async (own) => {
      const remains = async () => (await own.host.exec(["sh", "-c", REMAINS])).stdout;
      const setup = `setup = ["${SLOW_AGAIN}"]`;
      await define(own, "x", `source = "dir:${await smallFolder(site)}"\n${setup}\n`);
      await succeed(own, "chroot-create", "x");
      const killed = [
        [["chroot-login", "x"], "in it", /^machines\/login-x-\d+$/m],
        [["chroot-maintenance", "x"], "Running [", /^machines\/setup-\d+$/m],
      ] as const;
      for (const [words, step, name] of killed) {
        const running = own.start(words, { stdin: "echo in it; exec sleep 600\n" });
        await running.said(step);
        const alive = await until(remains, name);
        await succeed(own, "gc");
        assert.equal(await remains(), alive);
        await own.host.signal(running, "SIGKILL");
        const again = await own.call(["chroot-login", "x"], { ...PATIENCE, stdin: "echo again\n" });
        assert.deepEqual([again.code, again.stdout], [0, "again\n"], again.stderr);
        await until(remains, /^$/);
        await running.ended; // its payload held our pipes
      }

      const made = await own.host.exec(["sh", "-euc", DEAD, "sh", `${own.store}/x`, "/srv"]);
      assert.equal(made.code, 0, made.stderr);
      await succeed(own, "gc");
      await own.host.exec(["sh", "-c", ENDED]);
      assert.equal(await remains(), "machines/setup-4194303\n", "which is in no tree of ours");
      await own.host.exec(["systemctl", "stop", "tests-4194303"]);
    });
  },
  ["systemd"],
);

/** What is said as soon as it is that. */
async function until(said: () => Promise<string>, expected: RegExp): Promise<string> {
  for (let tries = 0; tries < 1200; tries++) {
    const text = await said();
    if (expected.test(text)) return text;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`never ${expected}: ${await said()}`);
}
