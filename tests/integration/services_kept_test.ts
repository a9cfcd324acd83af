/** Machines of services, as people see them: in lists, in shells, and kept with a failed job. */

import assert from "node:assert/strict";
import { assertFailed, begin, leasesOf, withAttempt } from "../conformance/stages.ts";
import { onTerminal } from "../hosts/terminal.ts";
import { quoteAll } from "../../src/text/quote.ts";
import { busyboxRoot } from "../hosts/roots.ts";
import { imageIn, planOfPulled, withImages } from "./images.ts";
import { succeed } from "./store.ts";

/** A static program, and nothing else: no shell either. */
const bare = async () => ({
  isEmpty: true,
  layers: [`cp "$(find '${await busyboxRoot()}' -name busybox | head -1)" sleep; mkdir etc`],
  config: ["--config.entrypoint=/sleep", "--config.cmd=1000"],
});

for (const storage of ["overlay", "tmpfs"] as const) {
  const name = `services are listed, opened and kept with their job, ${storage}`;
  withImages(name, { storage, keep_failed: "30min" }, async (own, registry) => {
    const box = await imageIn(registry, "box:1", { layers: ["mkdir etc srv"] });
    const empty = await imageIn(registry, "bare:1", await bare());
    const script = "echo kept >/srv/file; exec sleep 1000";
    const services = [
      { name: box, alias: "db", entrypoint: [""], command: ["/bin/sh", "-c", script] },
      { name: empty, alias: "bare" },
    ];
    const plan = { ...planOfPulled(box), services };
    await withAttempt(own, plan, async (job) => {
      await begin(job);
      const [lease] = await leasesOf(own);
      const id = lease!.machine.replace("run-", "");
      const { stdout } = await succeed(own, "list");
      const rows = stdout.trim().split("\n").map((line) => line.split(" ").slice(0, 3).join(" "));
      assert.deepEqual(rows, [
        `${id} ${box} running`,
        `${id}/db ${box} running`,
        `${id}/bare ${empty} running`,
      ]);
      const table = await onTerminal(own, quoteAll(own.words(["list"])), []);
      assert.match(table.stdout, new RegExp(`^  ${id}/db +${box} +running`, "m"));
      const look = await own.call(["shell", `${id}/db`], { stdin: "cat /srv/file; hostname\n" });
      assert.equal(look.stdout, `kept\nservice-${id}-1\n`, look.stderr);
      const beside = await own.call(["shell", `${plan.id}/bare`], {
        stdin: "ls -d /sleep; exit 4",
      });
      assert.deepEqual([beside.code, beside.stdout], [4, "/sleep\n"], beside.stderr);
      assertFailed(await job.run("step_script", "echo built >/builds/result; exit 3"), 3);
    });
    const leases = await leasesOf(own);
    assert.deepEqual(leases.map(({ held }) => held !== null), [true, true, true]);
    const id = leases[0]!.machine.replace("held-", "");
    const shown = async (id: string, stdin: string) => {
      const look = await own.call(["shell", id], { stdin });
      assert.equal(look.code, 0, look.stderr);
      return look.stdout;
    };
    assert.equal(await shown(id, "cat /builds/result; stat -c %U /builds\n"), "built\nroot\n");
    assert.equal(await shown(`${id}/db`, "cat /srv/file\n"), "kept\n");
    assert.equal(await shown(`${id}/bare`, "ls -d /sleep\n"), "/sleep\n");
    assert.match((await succeed(own, "list")).stdout, /\/db \S+ held /);
    await succeed(own, "shell", "--done", id);
    assert.deepEqual(await leasesOf(own), []);
  });
}
