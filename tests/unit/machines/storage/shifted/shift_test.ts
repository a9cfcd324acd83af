import assert from "node:assert/strict";
import { treeAsLower } from "../../../../../src/machines/record/lower.ts";
import { canShift, shiftArgv } from "../../../../../src/machines/storage/shifted/shift.ts";
import { type Answer, FREE_LOCK, inFolder, recordingHost } from "../../../recording_host.ts";
import { countShifts, FIRST } from "./shifting_host.ts";

/** nspawn's version, what the probe prints, and the answer of canShift(). */
const TRIALS: readonly (readonly [number, Answer, boolean])[] = [
  [252, { stdout: `${FIRST} 4750\ncontent` }, true],
  [249, { stdout: `${FIRST} 4750\ncontent` }, false],
  [252, { stdout: "0 4750\ncontent" }, false],
  [252, { stdout: `${FIRST} 750\ncontent` }, false],
  [252, { stdout: `${FIRST} 4750\n` }, false],
  [252, { stdout: `${FIRST} 4750\ncontent`, code: 1 }, false],
];

for (const [version, answer, expected] of TRIALS) {
  Deno.test(`canShift() is ${expected} with nspawn ${version} and a probe that returns ${JSON.stringify(answer)}`, () =>
    inFolder(async (store) => {
      const { host, commands } = recordingHost({
        answer: ([program]) =>
          program === "systemd-nspawn"
            ? { stdout: `systemd ${version} (x)\n` }
            : { stderr: "control succeeded\n", ...answer },
      });
      const known = new Map<string, string>();
      const files = {
        ...host.files,
        makeDirectory: (path: string) =>
          path.startsWith(store) ? host.files.makeDirectory(path) : Promise.resolve(),
        read: (path: string) => Promise.resolve(known.get(path) ?? null),
        replace: (path: string, text: string) => Promise.resolve(void known.set(path, text)),
        lock: () => Promise.resolve(FREE_LOCK),
      };
      const ask = () => canShift({ ...host, files }, store, "boot-1");
      assert.deepEqual([await ask(), await ask()], [expected, expected]);
      assert.ok(countShifts(commands()) <= 1, "tried once a boot");
      assert.deepEqual(await host.files.list(`${store}/.shifted`), []);
    }));
}

Deno.test("shiftArgv() passes paths as arguments, not as shell text", () => {
  const argv = shiftArgv("/s/$(x)", treeAsLower("/t/$(y)"), FIRST);
  assert.deepEqual(argv.slice(-5), ["/s/$(x)", "/t/$(y)", `${FIRST}`, "1048576", "."]);
  assert.ok(argv.slice(0, -5).every((word) => !/\$\([xy]\)/.test(word)));
});
