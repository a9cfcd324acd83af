import assert from "node:assert/strict";
import { ensureHelperRoot } from "../../../src/app/helper_root.ts";
import type { Job } from "../../../src/gitlab/job.ts";
import type { Host } from "../../../src/host/host.ts";
import { test } from "../chroots/fixture.ts";

/** The smallest static program of 64 bits: elf(5). */
const STATIC = new Uint8Array(64);
STATIC.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);

const FILES = [
  "builds/x",
  "cache/x",
  "dev/x",
  "mnt/x",
  "proc/x",
  "root/x",
  "run/x",
  "sys/x",
  "tmp/x",
  "etc/group",
  "etc/hosts",
  "etc/passwd",
  "etc/resolv.conf",
  "usr/bin/bash",
  "usr/bin/git",
  "usr/bin/nsenter",
  "usr/bin/setpriv",
];

const JOB = { id: "7", movesFiles: true } as Job;

/** A host without gitlab-runner and without certificates of its own. */
function bare(host: Host): Host {
  return { ...host, env: (name) => name === "PATH" ? "" : host.env(name) };
}

test("ensureHelperRoot() gives the chroot that the configuration names, with the host's gitlab-runner", async (f) => {
  const { config } = f;
  const host = bare(f.context.host);
  const find = (job: Job | null, changes = {}) =>
    ensureHelperRoot(host, { ...config, ...changes }, job);
  await assert.rejects(find(null, { helper: "tools" }), {
    kind: "refused",
    message: 'Cannot use helper = "tools": there is no such chroot',
  });
  for (const file of FILES.slice(1)) await f.put(`store/helper/${file}`, "");
  await assert.rejects(find(null), { message: /it lacks \/builds, \/usr\/bin\/busybox$/ });
  await f.put("store/helper/builds/x", "");
  await f.put("store/helper/usr/bin/busybox", "#!/bin/sh");
  await assert.rejects(find(null), { message: /its \/usr\/bin\/busybox is not a static program/ });
  await Deno.writeFile(`${config.store}/helper/usr/bin/busybox`, STATIC);
  const root = await (await find(null))();
  assert.deepEqual([root.path, root.runner], [`${config.store}/helper`, null]);
  await assert.rejects(find(JOB), { message: /neither the host nor the helper root has one/ });
  await f.put("bin/gitlab-runner", "");
  const gitlab_runner = `${f.folder}/bin/gitlab-runner`;
  await Deno.chmod(gitlab_runner, 0o755);
  const named = await find(JOB, { gitlab_runner });
  assert.equal((await named()).runner, gitlab_runner);
  await f.put("store/helper/usr/bin/gitlab-runner", "");
  assert.equal((await (await find(JOB))()).runner, null, "its own");
});

test("ensureHelperRoot() gives the host's certificates where the helper root has its own", async (f) => {
  for (const file of FILES) await f.put(`store/helper/${file}`, "");
  await f.put("store/helper/usr/bin/busybox", "");
  await Deno.writeFile(`${f.config.store}/helper/usr/bin/busybox`, STATIC);
  await f.put("store/helper/etc/pki/tls/certs/ca-bundle.crt", "");
  const { host } = f.context;
  const real = (path: string) =>
    path.startsWith("/etc/")
      ? Promise.resolve(path === "/etc/ssl/ca-bundle.pem" ? "/var/lib/ca.pem" : null)
      : host.files.real(path);
  const own = bare({ ...host, files: { ...host.files, real } });
  const { binds } = await (await ensureHelperRoot(own, f.config, null))();
  assert.deepEqual(binds.map(({ from, to }) => [from, to]), [[
    "/var/lib/ca.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
  ]]);
});

test("ensureHelperRoot() follows maintenance, which replaces the helper root", async (f) => {
  const build = async (number: number) => {
    await f.generation("helper", number, number === 1 ? {} : { previous: 1 });
    const folder = `store/.generations/helper/${number}`;
    for (const file of FILES) await f.put(`${folder}/${file}`, "");
    await Deno.writeFile(`${f.folder}/${folder}/usr/bin/busybox`, STATIC);
  };
  await build(1);
  const current = await ensureHelperRoot(bare(f.context.host), f.config, null);
  const { path } = await current();
  assert.match(path, /helper\/1$/);
  await build(2);
  assert.equal((await current()).path, path, "it is still there");
  await Deno.remove(path, { recursive: true });
  assert.match((await current()).path, /helper\/2$/);
});
