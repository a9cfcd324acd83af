import assert from "node:assert/strict";
import { checkJobImage, resolveJobImage } from "../../../src/app/job_image.ts";
import type { Config } from "../../../src/config/settings.ts";
import type { Job } from "../../../src/gitlab/job.ts";
import { type Fixture, withStore } from "../chroots/fixture.ts";
import { JOB } from "../gitlab/fixture.ts";
import { homeIn } from "../images/request/fixture.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

/** A store with one chroot, and the configuration with these patterns of `pull`. */
function withPatterns(
  pull: readonly string[],
  act: (f: Fixture, config: Config) => Promise<void>,
): Promise<void> {
  return withStore(async (f) => {
    await f.tree("bookworm");
    const env = homeIn(f.folder);
    const host = { ...f.context.host, env: (name: string) => env[name] };
    const config = { ...f.context.config, pull };
    await act({ ...f, context: { ...f.context, host, config } }, config);
  });
}

Deno.test("resolveJobImage() prefers a chroot to an image of a registry", () =>
  withPatterns(["**"], async ({ context: { host }, put }, config) => {
    await put("defs/bookworm.toml", 'aliases = ["python-3"]');
    for (const image of ["bookworm", "debian:bookworm", "docker.io/library/python:3"]) {
      const found = await resolveJobImage(host, config, JOB, image);
      assert.ok(found.kind === "chroot" && found.chroot.name === "bookworm", image);
    }
  }));

Deno.test("resolveJobImage() returns what is to be pulled where no chroot has the name", () =>
  withPatterns(["docker.io/library/*"], async ({ context: { host } }, config) => {
    const long = "x".repeat(80); // no chroot has such a name
    for (const image of ["ruby", `bookworm@${DIGEST}`, long, "ruby:config"]) {
      const found = await resolveJobImage(host, config, JOB, image);
      assert.ok(found.kind === "pulled" && found.request.reference.written === image, image);
      assert.equal(await checkJobImage(host, config, JOB, image), null, image);
    }
  }));

Deno.test("an image that is neither a chroot nor allowed is refused with the line that would allow it", () =>
  withPatterns(["quay.io/**"], async ({ context: { host } }, config) => {
    const line = (pattern: string) =>
      `To let jobs pull it: pull = ["quay.io/**", "${pattern}"] in ${config.file}`;
    const failures = {
      "ruby:3": [
        "no such chroot, and pull does not allow it",
        `Available chroots: bookworm. To make this one: nspawn-runner chroot-create ruby-3. ${
          line("docker.io/library/ruby:*")
        }`,
      ],
      [`reg.example:5000/a/ruby@${DIGEST}`]: [
        "a chroot has no digest, and pull does not allow it",
        `Available chroots: bookworm. ${line("reg.example:5000/a/ruby@*")}`,
      ],
      "Unknown": [
        "no such chroot",
        "Available chroots: bookworm. To make this one: nspawn-runner chroot-create Unknown",
      ],
    };
    for (const [image, [reason, hint]] of Object.entries(failures)) {
      const message = `Cannot use image "${image}": ${reason}`;
      const expected = { kind: "refused", message, hint };
      await assert.rejects(resolveJobImage(host, config, JOB, image), expected);
      await assert.rejects(checkJobImage(host, config, JOB, image), expected);
    }
  }));

Deno.test("an image that a pattern excludes is refused with the list", () =>
  withPatterns(["**", "!**/kali*"], async ({ context: { host } }, config) => {
    await assert.rejects(resolveJobImage(host, config, JOB, "kali"), {
      kind: "refused",
      message: 'Cannot use image "kali": no such chroot, and pull does not allow it',
      hint: new RegExp(
        `It is excluded by pull = \\["\\*\\*", "!\\*\\*/kali\\*"\\] in ${config.file}$`,
      ),
    });
  }));

Deno.test("an image that is no name at all is refused, and quoted", () =>
  withPatterns(["**"], async ({ context: { host } }, config) => {
    for (const image of ["../x", "a b", "", "a\nb", "user:pass@reg.example/x"]) {
      await assert.rejects(resolveJobImage(host, config, JOB, image), (error) => {
        assert.ok(error instanceof Error && error.message.includes(JSON.stringify(image)));
        return true;
      });
    }
  }));

Deno.test("allowed_images refuses a chroot also where pull allows an image of its name", () =>
  withPatterns(["**"], async ({ context: { host } }, config) => {
    const strict = { ...config, allowed_images: ["debian-*"] };
    await assert.rejects(resolveJobImage(host, strict, JOB, "bookworm"), {
      kind: "refused",
      message: 'Cannot use image "bookworm": jobs may not use that chroot on this host',
    });
  }));

Deno.test("checkJobImage() refuses pull policies that are not allowed, and looks for no credentials", () =>
  withPatterns(["**"], async ({ context: { host }, commands, put, err }, config) => {
    await put(".docker/config.json", '{"credsStore":"pass"}');
    const asking = (pullPolicies: readonly string[]): Job => ({
      ...JOB,
      imageOptions: { ...JOB.imageOptions, pullPolicies },
    });
    assert.equal(await checkJobImage(host, config, asking(["always"]), "ruby"), null);
    assert.deepEqual([commands(), err()], [[], ""]);
    await assert.rejects(checkJobImage(host, config, asking(["never"]), "ruby"), {
      kind: "refused",
      message: 'Cannot use pull_policy "never" of the job: allowed on this host: always',
    });
    const chroot = await checkJobImage(host, config, asking(["never"]), "bookworm");
    assert.equal(chroot?.name, "bookworm", "chroots are not pulled");
  }));
