import assert from "node:assert/strict";
import { freeIds, IDS_PER_MACHINE, idsOfNspawn } from "../../../../src/machines/record/ids.ts";
import { inFolder } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const FIRST = 0x6000_0000;

Deno.test("freeIds() gives each machine a range that no other one has, and gives it again", () => {
  const leases = [];
  for (let machine = 0; machine < 5; machine++) {
    const ids = freeIds(leases);
    assert.equal(ids, FIRST + machine * IDS_PER_MACHINE);
    leases.push(leaseOf("/s", `${machine}`, { ids }));
  }
  leases.splice(2, 1);
  assert.equal(freeIds(leases), FIRST + 2 * IDS_PER_MACHINE);
  assert.equal(freeIds([leaseOf("/s", "9", { ids: null })]), FIRST);
});

Deno.test("freeIds() stays in what systemd keeps for containers, and says so when all are taken", () => {
  const leases = Array.from(
    { length: 4096 },
    (_, slot) => leaseOf("/s", `${slot}`, { ids: FIRST + slot * IDS_PER_MACHINE }),
  );
  assert.throws(() => freeIds(leases), { kind: "host", message: /all are taken/ });
  assert.ok(leases.every(({ ids }) => ids! + IDS_PER_MACHINE - 1 <= 0x6fff_ffff));
});

Deno.test("freeIds() takes none that systemd-nspawn has chosen for another container", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    await host.files.makeDirectory("/run/systemd/nspawn-uid");
    await host.files.write(`/run/systemd/nspawn-uid/${FIRST}`, "");
    assert.equal(freeIds([], await idsOfNspawn(host)), FIRST + IDS_PER_MACHINE);
  });
});
