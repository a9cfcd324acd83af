import assert from "node:assert/strict";
import { explainJob } from "../../../../src/history/view/explain.ts";
import { recordOf, usageOf } from "../fixture.ts";

Deno.test("explainJob() tells of a job that is over what it was, used, and how it ended", () => {
  const record = recordOf({
    ...{ outcome: "failed", code: 42, kept: "2030-01-01T00:31:00.000Z" },
    lines: ["Too many processes: refused 5 times at 100"],
    services: [{ image: "redis:7", aliases: ["redis", "db"], code: 1, failure: null }],
    usage: usageOf({ ioRead: null }),
    image: "registry.example/\x1b[1mbookworm",
  });
  const earlier = recordOf({ outcome: "host", reason: "Cannot start machine run-42" });
  const text = explainJob([{ record, state: null }, { record: earlier, state: null }], null);
  const lines = text.split("\n");
  assert.deepEqual(lines.slice(0, 4), [
    "Job 42, group/project, branch, protected",
    "Image registry.example/\ufffd[1mbookworm: chroot bookworm, generation 3",
    "Machine run-42-ba7816bf, network private, storage overlay, plain, " +
    "on runner-host (Debian GNU/Linux 13 (trixie)), nspawn-runner 0.1.0",
    "Began at 2030-01-01T00:00:00.000Z, took 1min",
  ]);
  assert.match(text, /^memory, at most +1\.0 GiB +2\.0 GiB +limits\.memory_max$/m);
  assert.match(text, /^tasks, at most +12 +100 +limits\.tasks_max$/m);
  assert.match(text, /^files +4 KiB +none$/m);
  assert.ok(!text.includes("read from disk"), "the kernel does not count it");
  assert.deepEqual(lines.slice(-8), [
    "Service redis:7 (redis, db): ended with 1",
    "",
    "It failed with exit code 42",
    "Its files are kept until 2030-01-01T00:31:00.000Z: nspawn-runner shell 42-ba7816bf",
    "Too many processes: refused 5 times at 100",
    "",
    "Earlier attempt at 2030-01-01T00:00:00.000Z: host, Cannot start machine run-42",
    "",
  ]);
});

Deno.test("explainJob() tells of a job that was refused, and of one that runs", () => {
  const refused = recordOf({
    ...{ outcome: "refused", reason: "Cannot use image x: no", tree: null, digest: null },
    ...{ usage: null, network: null, booted: null, generation: null, image: null },
    ...{ project: null, ref: null, isProtected: null, host: { name: "h", release: null } },
  });
  const text = explainJob([{ record: refused, state: null }], null);
  assert.match(text, /^Job 42\nImage none\nMachine run-42-ba7816bf, on h, nspawn-runner/);
  assert.match(text, /^It was refused: Cannot use image x: no\nChange the job/m);
  const pulled = recordOf({ tree: "ruby:3", digest: "sha256:1", generation: null });
  const running = explainJob([{ record: pulled, state: "running" }], null);
  assert.match(running, /: ruby:3, sha256:1, not pulled again$/m);
  assert.match(running, /^It runs$/m);
});
