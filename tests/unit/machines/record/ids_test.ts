import assert from "node:assert/strict";
import {
  firstIds,
  freeIds,
  ID_AREA,
  idCount,
  idsOfContainers,
  idsOfUsers,
} from "../../../../src/machines/record/ids.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";
import { standaloneHost } from "../standalone_host.ts";

const FIRST = 0x4000_0000;
const MILLION = 1_048_576;
/** Where the ranges of 65536 ids begin, which earlier releases give. */
const FIRST_SMALL = 0x6000_0000;

Deno.test("freeIds() gives each machine a range that no other one has, and gives it again", () => {
  const leases = [];
  for (let machine = 0; machine < 5; machine++) {
    const ids = freeIds({ leases });
    assert.equal(ids, FIRST + machine * MILLION);
    leases.push(leaseOf("/s", `${machine}`, { ids }));
  }
  leases.splice(2, 1);
  assert.equal(freeIds({ leases }), FIRST + 2 * MILLION);
  assert.equal(freeIds({ leases: [leaseOf("/s", "9", { ids: null })] }), FIRST);
});

Deno.test("ranges do not overlap, and stay in what systemd keeps for containers", () => {
  let end = FIRST;
  for (const first of firstIds()) {
    assert.ok(first >= end, `${first}`);
    assert.equal(idCount(first), first < FIRST_SMALL ? MILLION : 65_536);
    end = first + idCount(first);
  }
  assert.equal(end - 1, 0x6fff_ffff);
  assert.deepEqual(ID_AREA, [FIRST, end]);
});

Deno.test("freeIds() gives 65536 ids where there are no more, and says so when all are taken", () => {
  const leases = [...firstIds()].map((ids) => ({ ids }));
  assert.throws(() => freeIds({ leases }), { kind: "host", message: /all are taken/ });
  assert.equal(freeIds({ leases: leases.filter(({ ids }) => ids < FIRST_SMALL) }), FIRST_SMALL);
  assert.equal(freeIds({ leases: [{ ids: FIRST_SMALL }] }), FIRST, "a machine of another release");
});

Deno.test("freeIds() takes none that systemd has chosen for another container", async () => {
  await inFolder(async (folder) => {
    const { host } = standaloneHost(folder, () => {});
    assert.deepEqual(await idsOfContainers(host), []);
    const [locks, registry] = ["/run/systemd/nspawn-uid", "/run/systemd/nsresource/registry"];
    for (const path of [locks, registry]) await host.files.makeDirectory(path);
    await host.files.write(`${locks}/${FIRST + 65_536}`, "");
    for (const name of ["u", "g"]) {
      await host.files.write(`${registry}/${name}${FIRST + MILLION}.userns`, "");
    }
    await host.files.write(`${registry}/nNAME.userns`, "");
    const containers = await idsOfContainers(host);
    assert.deepEqual(containers.map(({ count }) => count), [65_536, 65_536]);
    assert.equal(freeIds({ leases: [], containers }), FIRST + 2 * MILLION);
  });
});

/** A file of the host, and the first id of a machine there. */
const USERS: readonly (readonly [string, string, number])[] = [
  ["/etc/subuid", "ci:100000:65536\n", FIRST],
  ["/etc/subuid", `ci:${FIRST}:65536\n# comment\n`, FIRST + MILLION],
  ["/etc/subgid", `ci:${FIRST - 1}:2\n`, FIRST + MILLION],
  ["/etc/subgid", `ci:${FIRST - 1}:1\n`, FIRST],
  ["/etc/subuid", `root:1000000:${0x6000_0000}\n`, FIRST_SMALL + 16 * 65_536],
  ["/etc/subuid", "root:1:4294967294\n", FIRST],
  ["/etc/passwd", `a:x:1000:1000::/:/bin/sh\nb:x:${FIRST + 7}:100::/:/bin/sh\n`, FIRST + MILLION],
  ["/etc/group", `b:x:${FIRST + MILLION - 1}:\n\n`, FIRST + MILLION],
];

for (const [file, text, expected] of USERS) {
  Deno.test(`freeIds() avoids those of users where it can: ${file} ${JSON.stringify(text)}`, async () => {
    const { host } = recordingHost();
    const read = (path: string) => Promise.resolve(path === file ? text : null);
    const users = await idsOfUsers({ ...host, files: { ...host.files, read } });
    assert.equal(freeIds({ leases: [], users }), expected);
  });
}
