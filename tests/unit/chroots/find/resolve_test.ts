import assert from "node:assert/strict";
import { resolveChroot } from "../../../../src/chroots/find/resolve.ts";
import { withStore } from "../fixture.ts";

Deno.test("resolveChroot() finds a directory of the store", () =>
  withStore(async ({ context: { host, config }, tree, folder }) => {
    await tree("bookworm");
    for (const image of ["bookworm", "registry.example/ci/bookworm", "debian:bookworm"]) {
      const chroot = await resolveChroot(host, config, image);
      assert.deepEqual(chroot, {
        name: "bookworm",
        path: `${folder}/store/bookworm`,
        generation: null,
        image: null,
        own: [{}, {}],
        service: null,
      });
    }
  }));

Deno.test("resolveChroot() finds the current generation, and how programs run in it", () =>
  withStore(async ({ context: { host, config }, generation, put, folder }) => {
    const image = { env: ["A=b"], user: "ci", workingDir: "", entrypoint: [], cmd: [] };
    await generation("x", 1);
    await generation("x", 2, { image });
    assert.deepEqual(await resolveChroot(host, config, "x"), {
      name: "x",
      path: `${folder}/store/.generations/x/2`,
      generation: 2,
      image,
      own: [{}, {}],
      service: null,
    });
    await put("defs/x.toml", 'service = ["redis-server"]\nboot = true\n');
    const { own, service } = await resolveChroot(host, config, "x");
    assert.deepEqual([own[0], service], [{ boot: true }, ["redis-server"]]);
  }));

Deno.test("resolveChroot() prefers the name with the repository", () =>
  withStore(async ({ context: { host, config }, tree }) => {
    await tree("bookworm");
    await tree("debian-bookworm");
    assert.equal((await resolveChroot(host, config, "debian:bookworm")).name, "debian-bookworm");
  }));

Deno.test("resolveChroot() follows a symlink, also out of the store", () =>
  withStore(async ({ context: { host, config }, tree, put, folder }) => {
    await tree("real");
    await put("elsewhere/usr/file");
    await Deno.symlink("real", `${folder}/store/near`);
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/store/far`);
    assert.equal((await resolveChroot(host, config, "near")).path, `${folder}/store/real`);
    assert.equal((await resolveChroot(host, config, "far")).path, `${folder}/elsewhere`);
  }));

Deno.test("resolveChroot() refuses what is no root file system, and names the chroots that exist", () =>
  withStore(async ({ context: { host, config }, tree, put, folder }) => {
    await tree("bookworm");
    await put("store/file");
    await put("store/empty/readme");
    await put("store/.hidden/usr/x");
    await put("store/config/usr/x");
    await Deno.symlink("nowhere", `${folder}/store/dangling`);
    for (const image of ["file", "empty", "dangling", "unknown"]) {
      await assert.rejects(resolveChroot(host, config, image), {
        kind: "refused",
        message: `Cannot use image "${image}": no such chroot`,
        hint: `Available chroots: bookworm. To make this one: nspawn-runner chroot-create ${image}`,
      });
    }
    for (const image of [".hidden", "config", "", "..", "foo:", "/etc"]) {
      await assert.rejects(resolveChroot(host, config, image), { kind: "refused" }, image);
    }
  }));

Deno.test("resolveChroot() refuses a symlink to a folder that holds the store, and one to itself", () =>
  withStore(async ({ context: { host, config }, put, folder }) => {
    await put("store/x/readme");
    await put("usr/file");
    await Deno.symlink("/", `${folder}/store/root`);
    await Deno.symlink("..", `${folder}/store/up`);
    await Deno.symlink("loop", `${folder}/store/loop`);
    for (const image of ["root", "up", "loop"]) {
      await assert.rejects(resolveChroot(host, config, image), { kind: "refused" }, image);
    }
  }));

Deno.test("resolveChroot() says that there is no chroot where there is no store", () =>
  withStore(async ({ context: { host, config } }) => {
    await assert.rejects(resolveChroot(host, config, "x:y"), {
      hint: "Available chroots: none. To make this one: nspawn-runner chroot-create x-y",
    });
  }));

Deno.test("resolveChroot() reads the definition, first in the folder of definitions", () =>
  withStore(async ({ context: { host, config }, tree, put }) => {
    await tree("x");
    await put("store/x.toml", 'shell = "zsh"');
    assert.equal((await resolveChroot(host, config, "x")).own[0]?.shell, "zsh");
    await put("defs/x.toml", 'shell = "sh"\nsuite = "sid"');
    assert.equal((await resolveChroot(host, config, "x")).own[0]?.shell, "sh");
    await put("defs/x.toml", "nonsense = 1");
    await assert.rejects(resolveChroot(host, config, "x"), { kind: "refused" });
  }));

Deno.test("resolveChroot() starts no process and makes few system calls", () =>
  withStore(async ({ context: { host, config }, tree, processes }) => {
    await tree("x");
    let looks = 0;
    const files = new Proxy(host.files, {
      get(target, key: keyof typeof host.files) {
        looks++;
        return target[key];
      },
    });
    await resolveChroot({ ...host, files }, config, "x");
    assert.equal(processes.length, 0);
    assert.ok(looks <= 8, `${looks}`);
  }));

Deno.test("resolveChroot() accepts an alias where no chroot has that name", () =>
  withStore(async ({ context: { host, config }, tree, put }) => {
    await tree("python-3.12");
    await tree("x");
    await put("defs/python-3.12.toml", 'aliases = ["py", "python-3", "x"]');
    await put("defs/broken.toml", "nonsense = 1");
    const name = async (image: string) => (await resolveChroot(host, config, image)).name;
    assert.equal(await name("py"), "python-3.12");
    assert.equal(await name("docker.io/library/python:3"), "python-3.12");
    assert.equal(await name("x"), "x", "its own name beats an alias");
    await put("defs/other.toml", 'aliases = ["py"]');
    await assert.rejects(resolveChroot(host, config, "py"), {
      kind: "refused",
      message: "Cannot use image py: other and python-3.12 both have that alias",
    });
    await put("defs/other.toml", 'aliases = ["later"]');
    await assert.rejects(resolveChroot(host, config, "later"), /no such chroot/, "not made yet");
  }));
