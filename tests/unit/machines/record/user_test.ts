import assert from "node:assert/strict";
import { treeAsLower } from "../../../../src/machines/record/lower.ts";
import { findUser } from "../../../../src/machines/record/user.ts";
import { inFolder, recordingHost } from "../../recording_host.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/bash
ci:x:1000:1001:CI,,,:/home/ci:/bin/sh
1000:x:1234:1234::/home/odd:/bin/sh
bad:x:x:1::/home/bad:/bin/sh
far:x:1002:1:: nowhere:/bin/sh
`;
const GROUP = "root:x:0:\nci:x:1001:\nbuilders:x:2000:ci\n";

async function withTree(act: (tree: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/etc`);
    await Deno.writeTextFile(`${folder}/etc/passwd`, PASSWD);
    await Deno.writeTextFile(`${folder}/etc/group`, GROUP);
    await act(folder);
  });
}

const { host } = recordingHost();
const CI = { name: "ci", uid: 1000, gid: 1001, home: "/home/ci" };

/** What is asked for, and who that is. */
const USERS: readonly (readonly [string, unknown])[] = [
  ["", null],
  ["root", null],
  ["0", null],
  ["0:0", null],
  ["ci", CI],
  ["ci:builders", { ...CI, gid: 2000 }],
  ["ci:7", { ...CI, gid: 7 }],
  ["1000", { name: "1000", uid: 1234, gid: 1234, home: "/home/odd" }],
  ["5000", { name: "5000", uid: 5000, gid: 0, home: "/" }],
  ["5000:6000", { name: "5000", uid: 5000, gid: 6000, home: "/" }],
];

for (const [wanted, user] of USERS) {
  Deno.test(`findUser() knows ${JSON.stringify(wanted)}`, () =>
    withTree(async (tree) => assert.deepEqual(await findUser(host, chrootAt(tree), wanted), user)));
}

const chrootAt = (path: string) => ({ path, lower: treeAsLower(path) });

Deno.test("findUser() tells a job which user its image lacks", () =>
  withTree(async (path) => {
    const image = { path, lower: { folder: "/layers", layers: ["top"] } };
    assert.deepEqual(await findUser(host, image, "ci"), CI);
    await assert.rejects(findUser(host, image, "nobody"), {
      kind: "refused",
      message: 'Cannot run scripts as user "nobody": the image has none',
      hint: /image:docker:user/,
    });
  }));

for (const wanted of ["nobody", "bad", "far", "ci:nogroup", "a b", "$x", "-1", "ci:-1", "../x"]) {
  Deno.test(`findUser() refuses ${JSON.stringify(wanted)}`, () =>
    withTree(async (tree) => {
      await assert.rejects(findUser(host, chrootAt(tree), wanted), {
        kind: "refused",
        message: /the chroot has none/,
        hint: /useradd/,
      });
    }));
}

Deno.test("findUser() follows no link out of the chroot", () =>
  withTree(async (tree) => {
    await Deno.rename(`${tree}/etc/passwd`, `${tree}/elsewhere`);
    await Deno.symlink(`${tree}/elsewhere`, `${tree}/etc/passwd`);
    await assert.rejects(findUser(host, chrootAt(tree), "ci"), { kind: "refused" });
  }));
