import assert from "node:assert/strict";
import type { Failure } from "../../../../src/failure.ts";
import {
  cannotStart,
  reportWhileStarting,
} from "../../../../src/machines/supervisor/start_report.ts";
import { recordingHost } from "../../recording_host.ts";
import { answerCat, HOST_FILES, processFiles } from "../fake_kernel.ts";
import { leaseOf, specOf } from "../fixture.ts";

function failureOf(output: string, timedOut: boolean): Pick<Failure, "message" | "hint"> {
  const { message, hint } = cannotStart(specOf(), output, timedOut) as Failure;
  return { message, hint };
}

Deno.test("cannotStart() has the last line of the output as its reason, and the lines before it below", () => {
  assert.deepEqual(failureOf("one\n\ntwo\n", false), {
    message: "Cannot start machine run-42: two\none",
    hint: undefined,
  });
});

Deno.test("cannotStart() of a machine that was late names the setting that gives it more time", () => {
  assert.deepEqual(failureOf("one\ntwo\n", true), {
    message: "Cannot start machine run-42: it was not ready within 120 s\none\ntwo",
    hint: "Raise prepare_timeout",
  });
});

Deno.test("cannotStart() explains that a chroot lacks the first program", () => {
  const { hint } = failureOf("execv(/bin/sh) failed: No such file or directory\n", false);
  assert.match(hint!, /^Its chroot lacks a program .*: nspawn-runner chroot-remove, then/);
});

Deno.test("cannotStart() explains an init that crashes, and the busybox of a helper root", () => {
  const crash = "Container run-42 terminated by signal SEGV.\n";
  const { hint } = failureOf(crash, false);
  assert.match(
    hint!,
    /^The chroot.*Build it again: nspawn-runner chroot-remove, then nspawn-runner chroot-create$/,
  );
  const helper = { path: "/store/helper", runner: null, binds: [] };
  const onImage = cannotStart(specOf({ booted: false, helper }), crash, false) as Failure;
  assert.match(onImage.hint!, /^The busybox of the helper root.*chroot-create helper$/);
  assert.equal(failureOf("Container run-42 terminated by signal KILL.\n", false).hint, undefined);
});

Deno.test("reportWhileStarting() starts a machine before it loads timers", async () => {
  const order: string[] = [];
  const { host } = recordingHost();
  const after = () => {
    order.push("timer");
    return () => {};
  };
  const timed = { ...host, clock: { ...host.clock, after } };
  const start = () => {
    order.push("start");
    return Promise.resolve();
  };
  await reportWhileStarting(
    timed,
    specOf(),
    leaseOf("/store", "42"),
    () => Promise.resolve(77),
    start,
  );
  assert.deepEqual(order, ["start", "timer"]);
});

const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 2));

Deno.test("reportWhileStarting() names what a slow boot waits for, once, and not after the start", async () => {
  const jobs = "  7 multi-user.target start waiting\n 95 slow.service     start running\n";
  const recording = recordingHost({
    answer: (argv) =>
      argv.includes("list-jobs") ? { stdout: jobs } : answerCat(argv, {
        ...HOST_FILES,
        ...processFiles({ pid: 77, start: 9, isInit: true }),
      }),
  });
  const timers: (() => void)[] = [];
  const clock = {
    ...recording.host.clock,
    after(ms: number, call: () => void) {
      assert.equal(ms, 10_000);
      const at = timers.push(call) - 1;
      return () => void delete timers[at];
    },
  };
  const host = { ...recording.host, clock };
  const lease = leaseOf("/store", "42", { ids: 0x6000_0000 });
  const start = async () => {
    await nextTurn();
    for (const at of [0, 1]) {
      timers[at]!();
      const asked = () => recording.commands().filter((line) => /list-jobs/.test(line)).length;
      for (let turn = 0; turn < 500 && asked() <= at; turn++) await nextTurn();
      await nextTurn();
    }
    return "started";
  };
  const find = () => Promise.resolve(77);
  assert.equal(await reportWhileStarting(host, specOf(), lease, find, start), "started");
  assert.equal(
    recording.err(),
    "Machine run-42 is still booting. Its systemd waits for slow.service\n",
  );
  assert.deepEqual(Object.keys(timers), ["0", "1"], "the last timer is cancelled");
});
