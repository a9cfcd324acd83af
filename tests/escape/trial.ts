/** Tries ways out, from machines without protection and from those that have it. */

import assert from "node:assert/strict";
import type { Settings } from "../hosts/site.ts";
import { type Ground, type RunIn, withBait } from "./ground.ts";
import { type Bait, scriptOf, triesOf, type Try, type Way } from "./way.ts";

/** What is switched off where a way is to get through; what all have is the folder that they see. */
const UNPROTECTED: Settings = {
  private_users: "off",
  seccomp: false,
  network: "host",
  boot: false,
  capabilities: [
    "CAP_DAC_READ_SEARCH",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MKNOD",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
  ],
};

/**
 * Tries ways: each gets through where its protection is off, none of them from a machine as jobs have it, and
 * then nothing of the host is changed.
 *
 * @param ground Where.
 * @param ways Which.
 */
export async function tryAll(ground: Ground, ways: readonly Way[]): Promise<void> {
  await withBait(ground, async (bait) => {
    const before = await stateOf(ground, ways, bait);
    await outside(ground, ways, bait, before);
    const data = `${ground.bait}/data:/srv/data:ro`;
    const open = { ...UNPROTECTED, binds: [data, "/run/dbus:/run/dbus-of-the-host"] };
    await ground.withMachine(open, (run) => unprotected(ground, run, ways, bait, before));
    for (const boot of [true, false]) {
      await ground.withMachine({ boot, binds: [data] }, async (run) => {
        const tries = await tried(await run(scriptOf(ways, bait, "/root/ways")), ways);
        for (const way of ways) refuses(way, tries.get(way.name)!, boot ? "booted" : "plain");
        assert.deepEqual(await stateOf(ground, ways, bait), before);
      });
    }
  });
}

/** On the host itself, in a mount namespace that takes along what is mounted. */
async function outside(
  ground: Ground,
  ways: readonly Way[],
  bait: Bait,
  before: States,
): Promise<void> {
  const own = ways.filter(({ opened }) => opened === "outside");
  const script = scriptOf(own, bait, `${ground.bait}/scratch`);
  const stdout = await ground.host(`unshare --mount sh <<'END_OF_ALL'\n${script}\nEND_OF_ALL\n`);
  getThrough(own, triesOf(stdout), "on the host itself");
  await changed(ground, own, bait, before);
}

/** Those that no setting opens are refused here, too. */
async function unprotected(
  ground: Ground,
  run: RunIn,
  ways: readonly Way[],
  bait: Bait,
  before: States,
): Promise<void> {
  const tries = await tried(await run(scriptOf(ways, bait, "/root/ways")), ways);
  const own = ways.filter(({ opened }) => opened === "unprotected");
  getThrough(own, tries, "without protection");
  for (const way of ways) {
    if (way.opened === "outside") refuses(way, tries.get(way.name)!, "without protection");
  }
  await changed(ground, own, bait, before);
}

function tried(
  done: { readonly code: number; readonly stdout: string; readonly stderr: string },
  ways: readonly Way[],
): ReadonlyMap<string, Try> {
  const tries = triesOf(done.stdout);
  assert.equal(tries.size, ways.length, `${done.code}: ${done.stdout}${done.stderr}`);
  return tries;
}

function getThrough(ways: readonly Way[], tries: ReadonlyMap<string, Try>, where: string): void {
  for (const { name } of ways) {
    const { through, said } = tries.get(name)!;
    assert.ok(through, `"${name}" gets through ${where}, else it shows nothing: ${said}`);
  }
}

function refuses({ name, refusal }: Way, { through, said }: Try, where: string): void {
  if (refusal === null) return; // the host's state tells
  assert.ok(!through, `"${name}" is a way out, ${where}`);
  assert.match(said, refusal, `"${name}", ${where}`);
}

type States = Readonly<Record<string, string>>;

/** Each way shows on the host; then all is as it was. */
async function changed(
  ground: Ground,
  ways: readonly Way[],
  bait: Bait,
  before: States,
): Promise<void> {
  const now = await stateOf(ground, ways, bait);
  for (const { name, state } of ways) {
    if (state !== undefined) {
      assert.notEqual(now[name], before[name], `"${name}" shows on the host`);
    }
  }
  const undo = ways.map((way) => way.undo ?? ":").join("\n");
  await ground.host(`${variables(ground, bait)}${undo}`);
  const after = await stateOf(ground, ways, bait);
  for (const { name } of ways) assert.equal(after[name], before[name], `"${name}" is taken back`);
}

async function stateOf(ground: Ground, ways: readonly Way[], bait: Bait): Promise<States> {
  const look = ways.filter(({ state }) => state !== undefined)
    .map(({ name, state }) => `echo "== ${name}"\n{ ${state}\n} || :\nprintf '\\n== ended 0\\n'\n`);
  const tries = triesOf(await ground.host(variables(ground, bait) + look.join("")));
  return Object.fromEntries([...tries].map(([name, { said }]) => [name, said]));
}

function variables(ground: Ground, bait: Bait): string {
  return `BAIT=${ground.bait} PID=${bait.PID}\n`;
}
