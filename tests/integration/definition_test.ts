/** Chroots that are built from definitions. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import { define, outputOf, withStore } from "./store.ts";
import { tarOf } from "./tar.ts";

/** Settings for a store in which the chroot of a definition is built. */
function withDefined(
  site: Site,
  definition: string,
  body: (site: Site) => Promise<void>,
): Promise<void> {
  return withStore(site, {}, async (own) => {
    await define(own, "own", definition);
    await body(own);
  });
}

onEachHost(
  "a chroot is built from a tar file, provisioned, and used by its alias",
  async (site) => {
    const tar = `${site.store}/.tests/root-${newJob()}.tar.gz`;
    const made = await site.host.exec(
      ["tar", "-C", `${site.store}/${CHROOT}`, "-I", "gzip -1", "-cf", tar, "."],
    );
    assert.equal(made.code, 0, made.stderr);
    const file = await site.put("copied\n");
    const definition = `source = "tar:${tar}"
setup = ["echo set up > /srv/setup; id -u >> /srv/setup", "test -s /etc/resolv.conf"]
aliases = ["debian-12"]
copy = { "${file}" = "/srv/deep/file" }
`;
    await withDefined(site, definition, async (own) => {
      const created = await own.call(["chroot-create", "own"], { timeout: 300_000 });
      assert.equal(created.code, 0, created.stderr);
      assert.match(created.stderr, new RegExp(`^Making chroot own from ${tar}$`, "m"));
      const look =
        "cat /srv/setup /srv/deep/file; stat -c %u:%a /srv/deep/file; cat /etc/machine-id";
      assert.equal(
        await outputOf(own, "registry.example/debian:12", look),
        "set up\n0\ncopied\n0:700\n",
      );
      const [chroot] = JSON.parse((await own.call(["chroot-list", "--json"])).stdout);
      assert.deepEqual([chroot.name, chroot.state, chroot.origin], ["own", "ready", `tar:${tar}`]);
    });
    await site.host.exec(["rm", tar]);
  },
);

onEachHost("a chroot is built from a folder, and rebuilt by maintenance", async (site) => {
  const folder = `${site.store}/.tests/root-${newJob()}`;
  const copied = await site.host.exec(["cp", "-a", `${site.store}/${CHROOT}`, folder]);
  assert.equal(copied.code, 0, copied.stderr);
  const definition =
    `source = "dir:${folder}"\nrecreate = true\nsetup = ["date +%N > /srv/made"]\n`;
  await withDefined(site, definition, async (own) => {
    const made: string[] = [];
    for (const command of ["chroot-create", "chroot-maintenance"]) {
      await own.host.exec(["sh", "-c", `echo ${command} > ${folder}/srv/origin`]);
      const done = await own.call([command, "own"], { timeout: 300_000 });
      assert.equal(done.code, 0, done.stderr);
      const [origin, when] = (await outputOf(own, "own", "cat /srv/origin /srv/made")).split("\n");
      assert.equal(origin, command);
      made.push(when!);
    }
    assert.notEqual(made[0], made[1]);
  });
  await site.host.exec(["rm", "-rf", folder]);
}, ["standalone"]);

onEachHost("a chroot whose build fails does not exist, whatever failed", async (site) => {
  const folder = `${site.store}/.tests/no-root-${newJob()}`;
  await site.host.exec(["mkdir", "-p", `${folder}/etc`]);
  const evil = await site.put(tarOf([
    { name: "usr/", kind: "folder" },
    { name: "../../../../escaped", text: "evil" },
    { name: "/absolute", text: "evil" },
    { name: "out", link: `${folder}/etc` },
    { name: "out/planted", text: "evil" },
  ]));
  const cases: readonly (readonly [string, RegExp])[] = [
    [`source = "tar:/no/such.tar"`, /no such file/],
    [`source = "dir:${folder}"`, /not a root file system/],
    [
      `source = "dir:${site.store}/${CHROOT}"\nsetup = ["exit 3"]`,
      /cannot provision the tree: a command failed/,
    ],
    [
      `source = "dir:${site.store}/${CHROOT}"\ncopy = { "/no/such" = "/x" }`,
      /cannot copy \/no\/such: no/,
    ],
    [`source = "dir:${site.store}/${CHROOT}"\ncopy = { "/dev/null" = "/x" }`, /is a device/],
    [`source = "tar:${evil}"`, /Cannot create/],
  ];
  for (const [definition, reason] of cases) {
    await withDefined(site, definition, async (own) => {
      const done = await own.call(["chroot-create", "own"], { timeout: 300_000 });
      assert.equal(done.code, 1, `${definition}\n${done.stderr}`);
      assert.match(done.stderr, reason);
      assert.equal((await own.call(["chroot-list"])).stdout.trim().split(" ")[0], "own");
      const left = await own.host.exec([
        "sh",
        "-c",
        `ls -A ${own.store}/.making; ls ${own.store}/own`,
      ]);
      assert.equal(left.stdout, "");
    });
  }
  const outside = await site.host.exec([
    "sh",
    "-c",
    `ls -d /absolute /escaped ${site.store}/escaped ${folder}/etc/planted`,
  ]);
  assert.equal(outside.stdout, "", "nothing of the tar file is outside of its tree");
  await site.host.exec(["rm", "-rf", folder]);
}, ["systemd"]);
