import assert from "node:assert/strict";
import {
  chooseSuite,
  requireKeyring,
  requireKnownMirror,
} from "../../../../src/chroots/sources/suite.ts";
import type { Host } from "../../../../src/host/host.ts";
import { PROGRAM_FILE, recordingHost } from "../../recording_host.ts";
import { named } from "../fixture.ts";

/** Returns a host on which only some files exist. */
function hostWith(...paths: string[]): Host {
  const { host } = recordingHost();
  return {
    ...host,
    files: {
      ...host.files,
      stat: (path) => Promise.resolve(paths.includes(path) ? PROGRAM_FILE : null),
      real: (path) =>
        Promise.resolve(path.endsWith("/zany") ? "/usr/share/debootstrap/scripts/gutsy" : null),
    },
  };
}

const SCRIPTS = "/usr/share/debootstrap/scripts";

Deno.test("chooseSuite() prefers the option, the definition, the playbook, the record, the name", async () => {
  const host = hostWith();
  const all = { option: "a", definition: "b", playbook: "c", record: "d" };
  const pick = async (name: string, sources = {}) =>
    (await chooseSuite(host, named(name), sources)).name;
  assert.equal(await pick("bookworm", all), "a");
  assert.equal(await pick("bookworm", { ...all, option: undefined }), "b");
  assert.equal(await pick("bookworm", { playbook: "c", record: "d" }), "c");
  assert.equal(await pick("bookworm", { record: "d" }), "d");
  assert.equal(await pick("bookworm"), "bookworm");
  assert.equal(await pick("noble"), "noble");
  assert.equal(await pick("debian-bookworm"), "bookworm");
  assert.equal(await pick("ubuntu-noble"), "noble");
  assert.equal(await pick("node"), "unstable");
});

Deno.test("chooseSuite() says why", async () => {
  const host = hostWith();
  const because = async (name: string, sources = {}) =>
    (await chooseSuite(host, named(name), sources)).because;
  assert.match(await because("x"), /the default; --suite/);
  assert.match(await because("sid"), /the chroot's name/);
  assert.match(await because("x", { option: "sid" }), /--suite/);
});

Deno.test("chooseSuite() accepts a name for which debootstrap has a script", async () => {
  const host = hostWith(`${SCRIPTS}/kali`, `${SCRIPTS}/debian-common`);
  assert.equal((await chooseSuite(host, named("kali"), {})).name, "kali");
  assert.equal((await chooseSuite(host, named("debian-common"), {})).name, "unstable");
});

Deno.test("chooseSuite() refuses names that a tool could take for an option or a path", async () => {
  for (const option of ["", "-x", "--help", "../x", "a/b", "a b", "a\n", ".x", "a..b", "x;y"]) {
    await assert.rejects(
      chooseSuite(hostWith(), named("x"), { option }),
      /not the name of a suite/,
      option,
    );
  }
});

Deno.test("refuseUnproved() names the package with the keys", async () => {
  await assert.rejects(requireKeyring(hostWith(), "noble"), { hint: /ubuntu/, kind: "refused" });
  await assert.rejects(requireKeyring(hostWith(), "bookworm"), { hint: /debian-archive-keyring/ });
  await assert.rejects(requireKeyring(hostWith(), "zany"), /Ubuntu/);
  await requireKeyring(hostWith("/usr/share/keyrings/ubuntu-archive-keyring.gpg"), "noble");
  await requireKeyring(hostWith(), "kali"); // an unknown vendor
});

Deno.test("refuseUnplaced() names the package by which mmdebstrap knows Ubuntu's mirror", async () => {
  await assert.rejects(requireKnownMirror(hostWith(), "noble"), { hint: /distro-info-data/ });
  await requireKnownMirror(hostWith("/usr/share/distro-info/ubuntu.csv"), "noble");
  await requireKnownMirror(hostWith(`${SCRIPTS}/noble`), "noble");
  for (const suite of ["bookworm", "kali"]) await requireKnownMirror(hostWith(), suite);
});
