import assert from "node:assert/strict";
import { bootstrapArgv } from "../../../src/chroots/bootstrap.ts";

const INCLUDE = "--include=git,ca-certificates,dbus,systemd,systemd-sysv,python3";

Deno.test("bootstrapArgv() calls mmdebstrap", () => {
  const bootstrap = { suite: "sid", tool: "mmdebstrap", mirror: undefined } as const;
  assert.deepEqual(bootstrapArgv(bootstrap, "/s/x", true), [
    "mmdebstrap",
    "--variant=minbase",
    INCLUDE,
    "--format=directory",
    "sid",
    "/s/x",
  ]);
});

Deno.test("bootstrapArgv() calls debootstrap, which must check signatures, without fsync where it can", () => {
  const bootstrap = { suite: "sid", tool: "debootstrap", mirror: "http://m/d" } as const;
  const argv = ["debootstrap", "--variant=minbase", INCLUDE, "--force-check-gpg"];
  assert.deepEqual(bootstrapArgv(bootstrap, "/s/x", false), [...argv, "sid", "/s/x", "http://m/d"]);
  assert.equal(bootstrapArgv(bootstrap, "/s/x", true)[0], "eatmydata");
});
