import assert from "node:assert/strict";
import { checkPlatform } from "../../../../src/images/request/platform.ts";
import { recordingHost } from "../../recording_host.ts";

/** Returns the platform on a host of this architecture whose kernel runs programs for others by interpreters. */
function platform(
  asked: string,
  machine = "x86_64",
  interpreters: Record<string, string> = {},
): Promise<string | null> {
  const { host } = recordingHost({ answer: () => ({ stdout: `${machine}\n` }) });
  const read = (path: string) =>
    Promise.resolve(interpreters[path.replace("/proc/sys/fs/binfmt_misc/", "")] ?? null);
  return checkPlatform({ ...host, files: { ...host.files, read } }, asked);
}

Deno.test("checkPlatform() is null for the host's own platform, however it is written", async () => {
  for (const asked of ["linux/amd64", "amd64", "Linux/x86_64"]) {
    assert.equal(await platform(asked), null, asked);
  }
  for (const asked of ["linux/arm64", "arm64", "linux/arm64/v8", "aarch64"]) {
    assert.equal(await platform(asked, "aarch64"), null, asked);
  }
  assert.equal(await platform("riscv64", "riscv64"), null);
});

Deno.test("checkPlatform() allows a platform for which the host has an interpreter that images need not have", async () => {
  const fixed = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64\nflags: POCF\noffset 0\n";
  const interpreters = { "qemu-aarch64": fixed };
  assert.equal(await platform("linux/arm64", "x86_64", interpreters), "linux/arm64");
  assert.equal(await platform("arm64", "x86_64", interpreters), "linux/arm64");
  for (const text of [fixed.replace("enabled", "disabled"), fixed.replace("POCF", "POC")]) {
    await assert.rejects(platform("arm64", "x86_64", { "qemu-aarch64": text }), {
      kind: "refused",
    });
  }
});

Deno.test("checkPlatform() allows 32-bit programs of the same processor, and its variants", async () => {
  assert.equal(await platform("linux/386"), "linux/386");
  assert.equal(await platform("linux/amd64/v3"), "linux/amd64/v3");
});

Deno.test("checkPlatform() takes a folder of interpreters that cannot be read for an empty one", async () => {
  const { host } = recordingHost({ answer: () => ({ stdout: "x86_64\n" }) });
  const read = () => Promise.reject(new Error("Too many levels of symbolic links"));
  const inContainer = { ...host, files: { ...host.files, read } };
  await assert.rejects(checkPlatform(inContainer, "arm64"), { kind: "refused" });
});

Deno.test("checkPlatform() refuses a platform that the host cannot run", async () => {
  await assert.rejects(platform("linux/arm64"), {
    kind: "refused",
    message:
      'Cannot run programs of platform "linux/arm64" on this host: no interpreter for arm64 is registered',
    hint: /^The host's platform is linux\/amd64; qemu-user/,
  });
  const odd = ["windows/amd64", "linux", "linux/", "linux/amd64/x", "linux/../x", "a b", "linux/?"];
  for (const asked of odd) await assert.rejects(platform(asked), { kind: "refused" }, asked);
});
