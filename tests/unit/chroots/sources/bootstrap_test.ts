import assert from "node:assert/strict";
import { bootstrapArgv } from "../../../../src/chroots/sources/bootstrap.ts";

const PLAIN = { suite: "sid", components: [], packages: [], keyring: undefined } as const;

const INCLUDE = "--include=apt,git,ca-certificates,dbus,systemd,systemd-sysv,python3";

Deno.test("bootstrapArgv() calls mmdebstrap", () => {
  const bootstrap = { ...PLAIN, tool: "mmdebstrap", mirror: undefined } as const;
  assert.deepEqual(bootstrapArgv(bootstrap, "/s/x", true), [
    "mmdebstrap",
    "--variant=minbase",
    INCLUDE,
    "--format=directory",
    "sid",
    "/s/x",
  ]);
});

Deno.test("bootstrapArgv() calls debootstrap with signature checks, and with eatmydata where it is installed", () => {
  const bootstrap = { ...PLAIN, tool: "debootstrap", mirror: "http://m/d" } as const;
  const argv = ["debootstrap", "--variant=minbase", INCLUDE, "--force-check-gpg"];
  assert.deepEqual(bootstrapArgv(bootstrap, "/s/x", false), [...argv, "sid", "/s/x", "http://m/d"]);
  assert.equal(bootstrapArgv(bootstrap, "/s/x", true)[0], "eatmydata");
});

Deno.test("bootstrapArgv() passes what a definition names, each package once", () => {
  for (const tool of ["mmdebstrap", "debootstrap"] as const) {
    const argv = bootstrapArgv(
      {
        ...PLAIN,
        tool,
        mirror: undefined,
        components: ["main", "contrib"],
        packages: ["git", "make"],
        keyring: "/k.gpg",
      },
      "/s/x",
      false,
    );
    assert.ok(argv.includes(`${INCLUDE},make`));
    assert.ok(argv.includes("--components=main,contrib") && argv.includes("--keyring=/k.gpg"));
  }
});
