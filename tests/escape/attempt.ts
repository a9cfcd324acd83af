/** Tries escapes from machines without protection and from machines as jobs have them. */

import assert from "node:assert/strict";
import type { Settings } from "../hosts/site.ts";
import { type RunIn, type Target, withBait } from "./target.ts";
import { type Attempt, attemptsIn, type Bait, type Escape, scriptOf } from "./escape.ts";

/** Settings without protection, under which escapes have to succeed. */
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
 * Checks that each escape succeeds where its protection is off, and that none succeeds, or changes anything on
 * the host, from a machine as jobs have it.
 */
export async function tryAll(target: Target, escapes: readonly Escape[]): Promise<void> {
  await withBait(target, async (bait) => {
    const before = await stateOf(target, escapes, bait);
    await tryOnHost(target, escapes, bait, before);
    const data = `${target.bait}/data:/srv/data:ro`;
    const open = { ...UNPROTECTED, binds: [data, "/run/dbus:/run/dbus-of-the-host"] };
    await target.withMachine(open, (run) => tryUnprotected(target, run, escapes, bait, before));
    for (const boot of [true, false]) {
      await target.withMachine({ boot, binds: [data] }, async (run) => {
        const attempts = await attemptsOf(
          await run(scriptOf(escapes, bait, "/root/escapes")),
          escapes,
        );
        for (const escape of escapes) {
          assertRefused(escape, attempts.get(escape.name)!, boot ? "booted" : "plain");
        }
        assert.deepEqual(await stateOf(target, escapes, bait), before);
      });
    }
  });
}

/** Tries escapes on the host itself, in a mount namespace that discards their mounts. */
async function tryOnHost(
  target: Target,
  escapes: readonly Escape[],
  bait: Bait,
  before: States,
): Promise<void> {
  const own = escapes.filter(({ opened }) => opened === "outside");
  const script = scriptOf(own, bait, `${target.bait}/scratch`);
  const stdout = await target.host(`unshare --mount sh <<'END_OF_ALL'\n${script}\nEND_OF_ALL\n`);
  assertSucceeded(own, attemptsIn(stdout), "on the host itself");
  await assertChangedThenUndo(target, own, bait, before);
}

/** Tries escapes in a machine without protection; those that no setting allows are refused there too. */
async function tryUnprotected(
  target: Target,
  run: RunIn,
  escapes: readonly Escape[],
  bait: Bait,
  before: States,
): Promise<void> {
  const attempts = await attemptsOf(await run(scriptOf(escapes, bait, "/root/escapes")), escapes);
  const own = escapes.filter(({ opened }) => opened === "unprotected");
  assertSucceeded(own, attempts, "without protection");
  for (const escape of escapes) {
    if (escape.opened === "outside") {
      assertRefused(escape, attempts.get(escape.name)!, "without protection");
    }
  }
  await assertChangedThenUndo(target, own, bait, before);
}

function attemptsOf(
  done: { readonly code: number; readonly stdout: string; readonly stderr: string },
  escapes: readonly Escape[],
): ReadonlyMap<string, Attempt> {
  const attempts = attemptsIn(done.stdout);
  assert.equal(attempts.size, escapes.length, `${done.code}: ${done.stdout}${done.stderr}`);
  return attempts;
}

function assertSucceeded(
  escapes: readonly Escape[],
  attempts: ReadonlyMap<string, Attempt>,
  where: string,
): void {
  for (const { name } of escapes) {
    const { succeeded, output } = attempts.get(name)!;
    assert.ok(succeeded, `"${name}" succeeds ${where}, else the test shows nothing: ${output}`);
  }
}

function assertRefused(
  { name, refusal }: Escape,
  { succeeded, output }: Attempt,
  where: string,
): void {
  if (refusal === null) return; // only the host's state shows it
  assert.ok(!succeeded, `"${name}" succeeds, ${where}`);
  assert.match(output, refusal, `"${name}", ${where}`);
}

type States = Readonly<Record<string, string>>;

/** Checks that each escape changed the state of the host, and undoes the changes. */
async function assertChangedThenUndo(
  target: Target,
  escapes: readonly Escape[],
  bait: Bait,
  before: States,
): Promise<void> {
  const now = await stateOf(target, escapes, bait);
  for (const { name, state } of escapes) {
    if (state !== undefined) {
      assert.notEqual(now[name], before[name], `"${name}" changes the host`);
    }
  }
  const undo = escapes.map((escape) => escape.undo ?? ":").join("\n");
  await target.host(`${variables(target, bait)}${undo}`);
  const after = await stateOf(target, escapes, bait);
  for (const { name } of escapes) assert.equal(after[name], before[name], `"${name}" is undone`);
}

async function stateOf(target: Target, escapes: readonly Escape[], bait: Bait): Promise<States> {
  const look = escapes.filter(({ state }) => state !== undefined)
    .map(({ name, state }) => `echo "== ${name}"\n{ ${state}\n} || :\nprintf '\\n== ended 0\\n'\n`);
  const attempts = attemptsIn(await target.host(variables(target, bait) + look.join("")));
  return Object.fromEntries([...attempts].map(([name, { output }]) => [name, output]));
}

function variables(target: Target, bait: Bait): string {
  return `BAIT=${target.bait} PID=${bait.PID}\n`;
}
