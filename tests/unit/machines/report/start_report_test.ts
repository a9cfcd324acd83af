import assert from "node:assert/strict";
import { chrootLine, machineLine } from "../../../../src/machines/report/start_report.ts";
import { leaseOf, planOf, SETTINGS } from "../fixture.ts";

Deno.test("chrootLine() names the generation, where the tree is one", async () => {
  const tree = await planOf("/store").tree();
  assert.equal(
    chrootLine({ ...tree, generation: 12 }),
    "Chroot bookworm, generation 12 (/store/bookworm)",
  );
  assert.equal(chrootLine({ ...tree, generation: null }), "Chroot bookworm (/store/bookworm)");
});

Deno.test("machineLine() lists the limits that are enforced", () => {
  assert.equal(
    machineLine(leaseOf("/s", "1", { ids: 0x4000_0000 }), SETTINGS, true),
    "Storage overlay, booted, CPU weight 50, memory high 80%, memory max 2G, CPU quota 150%, " +
      "tasks max 100, user ids of its own, network of the host",
  );
  const small = leaseOf("/s", "1", { ids: 0x6000_0000 });
  assert.match(machineLine(small, SETTINGS, true), /, only 65536 user ids of its own,/);
});

Deno.test("machineLine() says where there are no limits, and what makes the machine less safe", () => {
  const limits = { ...SETTINGS.limits, disk_max: "1G" };
  const settings = { ...SETTINGS, limits, seccomp: false, nesting: true };
  const lease = leaseOf("/s", "1", { booted: false, network: { kind: "none" } });
  assert.equal(
    machineLine(lease, settings, false),
    "Storage overlay, disk max 1G, plain, no other limits: systemd is not PID 1 on this host, " +
      "seccomp off, nesting, no user namespace, no network",
  );
});
