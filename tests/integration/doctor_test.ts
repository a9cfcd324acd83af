/** The doctor on real hosts. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import { withOwn } from "./own.ts";

interface Row {
  readonly topic: string;
  readonly state: string;
  readonly found: string;
}

onEachHost(
  "the doctor says what a host can do, and ends with 1 where jobs would not run",
  async (site) => {
    const done = await site.call(["doctor", "--json"]);
    const rows: Row[] = JSON.parse(done.stdout);
    const stateOf = (topic: string) => rows.find((row) => row.topic === topic)?.state;
    assert.deepEqual([done.code, stateOf("systemd-nspawn"), stateOf("store"), stateOf("storage")], [
      0,
      "ok",
      "ok",
      "ok",
    ], done.stdout);
    for (const topic of ["nftables", "forwarding", "DNS"]) {
      assert.equal(stateOf(topic), "ok", topic);
    }
    assert.match(rows.find(({ topic }) => topic === "chroots")!.found, new RegExp(CHROOT));
    assert.equal(stateOf("limits"), "weak", "neither host of the tests has every controller");
    const machine = await site.call(["doctor", "--json", "--machine", CHROOT]);
    const inside: Row[] = JSON.parse(machine.stdout).slice(rows.length);
    const states = Object.fromEntries(inside.map(({ topic, state }) => [topic, state]));
    const promised = ["git", "interfaces", "metadata", "system calls"];
    for (const topic of promised) assert.equal(states[`inside: ${topic}`], "ok", machine.stdout);
    const ids = stateOf("user namespaces");
    for (const topic of ["user ids", "kernel", "disks", "read-only binds"]) {
      if (ids === "ok") assert.equal(states[`inside: ${topic}`], "ok", machine.stdout);
    }
    const unknown = await site.call(["doctor", "--machine", "no-such-image"]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stdout, /^machine +broken +/m);
    await withOwn(site, {}, async (own) => {
      await own.host.exec(["mkdir", "-p", own.store]);
      const broken = await own.call(["doctor"]);
      assert.equal(broken.code, 1);
      assert.match(broken.stdout, /^chroots +broken +none is ready$/m);
      assert.match(broken.stdout, /^broken: chroots: nspawn-runner chroot-create/m);
      assert.match(broken.stderr, /Jobs do not run here: chroots/);
    });
  },
);
