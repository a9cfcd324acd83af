import assert from "node:assert/strict";
import { checkImage, helperRoot, images, imageTools } from "../../../src/doctor/images.ts";
import { obtainImage } from "../../../src/images/store/obtain.ts";
import { allowImages, find } from "./fixture.ts";
import { NEVER, requestFor, withImages } from "../images/store/fixture.ts";

Deno.test("doctor looks for skopeo only where images may be pulled", async () => {
  await withImages(async ({ host, config }) => {
    assert.deepEqual(await imageTools(host, { ...config, pull: [] }, []), []);
    const pull = ["docker.io/library/*"];
    const files = { ...host.files, stat: () => Promise.resolve(null) };
    const missing = await imageTools({ ...host, files }, { ...config, pull }, []);
    assert.deepEqual([missing].flat().map(({ state, found }) => [state, found]), [
      ["broken", "skopeo is not installed"],
    ]);
  });
});

Deno.test("doctor looks for the helper root only where images may be pulled", async () => {
  const states = async (more: string | null, ...chroots: string[]) =>
    (await find(helperRoot, {}, async (folder) => {
      if (more !== null) await allowImages(folder, more);
      for (const name of chroots) {
        await Deno.mkdir(`${folder}/store/${name}/usr`, { recursive: true });
      }
    })).map(({ state, fix }) => `${state} ${fix}`);
  assert.deepEqual(await states(null), []);
  assert.deepEqual(await states(""), ["weak nspawn-runner chroot-create helper"]);
  assert.deepEqual(await states("", "helper"), ["ok null"]);
  const other = 'helper = "other"\n';
  const fix = "Define it, then: nspawn-runner chroot-create other";
  assert.deepEqual(await states(other, "helper"), [`broken ${fix}`]);
});

Deno.test("doctor counts pulled images against images_max_size", async () => {
  await withImages(async ({ host, config, registry }) => {
    const state = async (images_max_size: number) =>
      [await images(host, { ...config, images_max_size }, [])].flat().map((row) => row.state);
    assert.deepEqual(await state(Infinity), []);
    registry["a.example/x:1"] = "{}";
    await obtainImage(host, config, requestFor("a.example/x:1"), NEVER);
    assert.deepEqual(await state(1010), ["ok"]);
    assert.deepEqual(await state(1009), ["weak"]);
  });
});

Deno.test("doctor --image asks the registry, and says what is wrong", async () => {
  await withImages(async ({ host, config, registry }) => {
    const allowed = { ...config, pull: ["a.example/*"], pull_policy: ["always"] } as typeof config;
    const check = async (image: string) => {
      const { state, found } = await checkImage(host, allowed, image);
      return `${state}: ${found}`;
    };
    assert.equal(await check("ruby"), "broken: no pattern of pull allows it");
    assert.match(await check("a.example/x"), /^broken: .* a.example does not have it$/);
    registry["a.example/x:latest"] = "{}";
    assert.match(
      await check("a.example/x"),
      /^ok: sha256:[0-9a-f]{64}, asked in 0 ms with no cred/,
    );
  });
});
