/** Machines with user ids of their own: which, and what proves it. */

import assert from "node:assert/strict";
import { writeScript, openChannel, scriptOwnerIds } from "../../../../src/machines/exec/script.ts";
import { withOwnStreams } from "../../../../src/machines/exec/streams.ts";
import { COUNT, freeIds } from "../../../../src/machines/record/ids.ts";
import { verifyIds } from "../../../../src/machines/nspawn/verify_ids.ts";
import { nspawnArgv } from "../../../../src/machines/nspawn/command_line.ts";
import { btrfs } from "../../../../src/machines/storage/btrfs.ts";
import { overlay } from "../../../../src/machines/storage/overlay.ts";
import { skip } from "../../../skip.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";
import { leaseOf, pathsIn, specOf } from "../fixture.ts";

const FIRST = 0x6000_0000;
const LEADER = {
  pid: 77,
  start: 9,
  cgroup: "/cg/m",
  dropped: [],
  noNewPrivileges: false,
  filtered: true,
};
const CI = { name: "ci", uid: 1000, gid: 1001, home: "/home/ci" };

Deno.test("freeIds() gives each machine a range that no other one has, and gives it again", () => {
  const leases = [];
  for (let machine = 0; machine < 5; machine++) {
    const ids = freeIds(leases);
    assert.equal(ids, FIRST + machine * COUNT);
    leases.push(leaseOf("/s", `${machine}`, { ids }));
  }
  leases.splice(2, 1);
  assert.equal(freeIds(leases), FIRST + 2 * COUNT);
  assert.equal(freeIds([leaseOf("/s", "9", { ids: null })]), FIRST);
});

Deno.test("freeIds() stays in what systemd keeps for containers, and says so when all are taken", () => {
  const leases = Array.from(
    { length: 4096 },
    (_, slot) => leaseOf("/s", `${slot}`, { ids: FIRST + slot * COUNT }),
  );
  assert.throws(() => freeIds(leases), { kind: "host", message: /all are taken/ });
  assert.ok(leases.every(({ ids }) => ids! + COUNT - 1 <= 0x6fff_ffff));
});

/** What the kernel says of a machine's map and its files, and whether that is what was asked for. */
const PROOFS: readonly (readonly [readonly string[], string, boolean])[] = [
  [[`0 ${FIRST} 65536`], `${FIRST}`, true],
  [["0 0 4294967295"], "0", false],
  [[`0 ${FIRST} 65536`], "0", false],
  [[`0 ${FIRST} 65536`], "65534", false],
  [[`0 ${FIRST} 65535`], `${FIRST}`, false],
  [[`0 ${FIRST} 65536`, "65536 0 1"], `${FIRST}`, false],
  [[], "", false],
];

for (const [map, owner, isRight] of PROOFS) {
  Deno.test(`proveIds() ${isRight ? "takes" : "refuses"} ${map.join(", ")} of ${owner}`, () =>
    inFolder(async (tree) => {
      await Deno.mkdir(`${tree}/usr`);
      if (Deno.uid() !== 0) return skip("proveIds()", "not root");
      const { host } = recordingHost();
      const proof = verifyIds(host, { ...LEADER, idMap: map, rootOwner: owner }, FIRST, tree);
      if (isRight) await proof;
      else await assert.rejects(proof, { kind: "host", message: /user namespace/, hint: /off/ });
    }));
}

Deno.test("nspawnArgv() maps ids, and the owners of binds that keep them", () => {
  const binds = [
    { from: "/c", to: "/cache", readOnly: false, sameOwners: true },
    { from: "/h", to: "/etc/hosts", readOnly: false, sameOwners: false },
  ];
  const mapped = nspawnArgv(specOf({ ids: FIRST, binds }), []);
  assert.ok(mapped.includes(`--private-users=${FIRST}:65536`));
  assert.ok(mapped.includes("--bind=/c:/cache:idmap") && mapped.includes("--bind=/h:/etc/hosts"));
  const plain = nspawnArgv(specOf({ binds }), []);
  assert.ok(
    plain.includes("--bind=/c:/cache") && !plain.some((word) => /private-users/.test(word)),
  );
});

Deno.test("overlay mounts a mapped root where nothing of it is left, and no shell reads its paths", () => {
  const root = overlay.root("/chroots/$(x)", "/m/run-42", FIRST);
  const [program, ...words] = root.wrap!(["systemd-nspawn", "--quiet"]);
  assert.equal(program, "unshare");
  assert.deepEqual(words.slice(-5), [
    "/m/run-42",
    "/chroots/$(x)",
    `${FIRST}`,
    "systemd-nspawn",
    "--quiet",
  ]);
  assert.ok(words.every((word, index) => index >= words.length - 5 || !word.includes("$(x)")));
  assert.deepEqual(root.options, ["--directory=/m/run-42/root", "--private-users-ownership=off"]);
  assert.deepEqual(btrfs.root("/c", "/m/run-42", FIRST).options, [
    "--directory=/m/run-42/root",
    "--private-users-ownership=map",
  ]);
});

Deno.test("ownerIds() are those of the host, for root and for a user, mapped or not", () => {
  assert.deepEqual(scriptOwnerIds({ user: null, ids: null }), [0, 0]);
  assert.deepEqual(scriptOwnerIds({ user: CI, ids: null }), [1000, 1001]);
  assert.deepEqual(scriptOwnerIds({ user: null, ids: FIRST }), [FIRST, FIRST]);
  assert.deepEqual(scriptOwnerIds({ user: CI, ids: FIRST }), [FIRST + 1000, FIRST + 1001]);
});

Deno.test("ownStreams() leaves a client alone whose streams are root's", () => {
  const argv = ["client", "a"] as const;
  assert.equal(withOwnStreams(leaseOf("/s", "1"), argv), argv);
  const own = withOwnStreams(leaseOf("/s", "1", { user: CI }), argv);
  assert.deepEqual(own.slice(-3), ["1000", "client", "a"]);
});

Deno.test("openChannel() and layScript() give the machine what it has to read, and nobody else", () =>
  inFolder(async (folder) => {
    if (Deno.uid() !== 0) return skip("layScript() for others", "not root");
    const { host } = recordingHost();
    const paths = pathsIn(folder);
    const { stage } = paths;
    const owner = { user: CI, ids: FIRST };
    await openChannel(host, paths, {
      ...owner,
      owned: ["/builds"],
      environment: ["A=b"],
      limited: false,
    });
    const shells = { programs: ["sh"], options: [] };
    const { nonce } = await writeScript(host, paths, new Uint8Array(), shells, owner);
    const seen = async (path: string) => {
      const { uid, mode } = await Deno.stat(path);
      return [uid, mode! & 0o777];
    };
    assert.deepEqual(await seen(stage), [FIRST, 0o711]);
    for (const name of ["environment", "user", "result"]) {
      assert.deepEqual(await seen(`${stage}/${name}`), [FIRST, 0o600], name);
    }
    assert.deepEqual(await seen(`${stage}/script-${nonce}`), [FIRST + 1000, 0o500]);
    assert.deepEqual(await seen(paths.result), [FIRST, 0o600]);
    assert.equal(await Deno.readTextFile(`${stage}/user`), "1000 1001 ci /home/ci\n/builds\n");
  }));
