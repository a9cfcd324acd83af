import assert from "node:assert/strict";
import { transientUnit } from "../../../../src/machines/exec/transient_unit.ts";
import { NONCE, reportOf, runScene } from "./stage_scene.ts";

Deno.test("transientUnit.run() runs a stage as a named unit of the machine, through machined", async () => {
  const { ending, processes } = await runScene({ exec: transientUnit, report: reportOf(0) });
  assert.deepEqual(ending, { kind: "exited", code: 0 });
  assert.equal(processes.length, 1, "a successful stage costs one process");
  const { argv, options } = processes[0]!;
  assert.deepEqual([argv[0], argv[4]], ["sh", "/run/systemd/machines/run-42"]);
  assert.deepEqual(argv.slice(6), [
    "systemd-run",
    "--machine=run-42",
    "--quiet",
    "--pipe",
    "--wait",
    "--collect",
    `--unit=nspawn-runner-${NONCE}.service`,
    "--property=IgnoreSIGPIPE=no",
    "--property=OOMPolicy=continue",
    "--property=LimitNOFILE=1024:524288",
    "--property=LimitCORE=1",
    "--property=TimeoutStopSec=2s",
    "--",
    "/bin/sh",
    "reporter",
  ]);
  assert.deepEqual(Object.keys(options.env ?? {}), ["PATH", "LANG"]);
  assert.ok("detached" in options && options.detached);
});

Deno.test("transientUnit.run() enters a machine that machined does not know", async () => {
  const { processes } = await runScene({
    exec: transientUnit,
    report: reportOf(0),
    lease: { supervisor: "standalone" },
  });
  const { argv } = processes[0]!;
  assert.deepEqual([argv[0], argv[4]], ["sh", "/proc/77"]);
  assert.deepEqual(argv.slice(6, 15), [
    "setpriv",
    "--bounding-set=-cap_12,-cap_14", // a job can replace systemd-run in its machine
    "--inh-caps=-all",
    "--no-new-privs",
    "--",
    ...["nsenter", "--target=77", "--all", "--"],
  ]);
  assert.deepEqual(argv.slice(15, 17), ["systemd-run", "--quiet"]);
});

Deno.test("transientUnit.run() goes by the stage's report, not by the code of systemd-run", async () => {
  const exited = await runScene({ exec: transientUnit, report: reportOf(3), clientCode: 0 });
  assert.deepEqual(exited.ending, { kind: "exited", code: 3 });
  const report = `${NONCE} started\n`;
  const killed = await runScene({ exec: transientUnit, report, clientCode: 0 });
  assert.deepEqual(killed.ending, { kind: "signalled", signal: 9 });
});

Deno.test("transientUnit.run() stops the unit when it is cancelled", async () => {
  const { commands } = await runScene({
    exec: transientUnit,
    report: reportOf(143),
    isCancelled: true,
  });
  const stop = `systemctl --machine=run-42 stop nspawn-runner-${NONCE}.service`;
  assert.ok(commands().some((line) => line.endsWith(` ${stop}`)));
});

Deno.test("transientUnit.run() reports a machine that shuts down as lost, whatever the script made of that", async () => {
  for (const code of [1, 143]) {
    const report = reportOf(code);
    for (const state of ["stopping", "offline", ""]) {
      const { ending } = await runScene({ exec: transientUnit, report, state });
      assert.equal(ending.kind, "lost", `${code} ${state}`);
    }
    for (const state of ["running", "degraded", "starting"]) {
      const { ending } = await runScene({ exec: transientUnit, report, state });
      assert.equal(ending.kind, "exited", `${code} ${state}`);
    }
  }
  const trapped = await runScene({
    exec: transientUnit,
    report: reportOf(0),
    clientCode: 1,
    state: "stopping",
  });
  assert.equal(trapped.ending.kind, "lost");
});
