/** The image and the id of a job, and hostile ones. */

import { parse } from "@std/toml/parse";
import assert from "node:assert/strict";
import { attempt, BUILD_FAILURE, type Section } from "../conformance/runner.ts";
import { assertDone, withAttempt } from "../conformance/stages.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, newJob, type Site } from "../hosts/site.ts";

/** Prepares a machine and removes it; returns the name of its chroot. */
async function imageOf(
  site: Site,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  const id = newJob();
  const done = await site.call(["prepare", ...words, "--id", id], { env });
  await site.call(["cleanup", "--id", id]);
  assert.equal(done.code, 0, done.stderr);
  return done.stderr.match(/^Chroot (\S+)/m)?.[1];
}

/** Returns a site with further chroots, all links to the same tree. */
async function siteWith(site: Site, names: readonly string[]): Promise<Site> {
  const store = `${site.store}/.tests/store-${newJob()}`;
  await site.host.exec(["mkdir", store]);
  for (const name of names) {
    await site.host.exec(["ln", "-s", `${site.store}/${CHROOT}`, `${store}/${name}`]);
  }
  return await site.with({ store, boot: false });
}

onEachHost(
  "the image is that of the argument, else the job, the option, the configuration",
  async (site) => {
    const own = await siteWith(site, ["argument", "job", "option", "configured"]);
    const configured = await own.with({ default_image: "configured" });
    const job = { CUSTOM_ENV_CI_JOB_IMAGE: "job", CUSTOM_ENV_CI_JOB_ID: "1" };
    const option = ["--default-image", "option"];
    assert.equal(await imageOf(configured, ["argument", ...option], job), "argument");
    assert.equal(await imageOf(configured, option, job), "job");
    assert.equal(await imageOf(configured, option), "option");
    assert.equal(await imageOf(configured, []), "configured");
    const none = await own.call(["prepare", "--id", newJob()]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /image/);
  },
);

onEachHost("an image's tag is part of the name, or the whole name", async (site) => {
  const own = await siteWith(site, ["debian-bookworm", "bookworm", "trixie", "debian"]);
  assert.equal(await imageOf(own, ["debian:bookworm"]), "debian-bookworm");
  assert.equal(await imageOf(own, ["debian:trixie"]), "trixie");
  assert.equal(await imageOf(own, ["debian"]), "debian");
  assert.equal(await imageOf(own, ["registry.example:5000/ci/debian:bookworm"]), "debian-bookworm");
  for (const image of ["Debian", "debian:sid", "debian:latest", "BOOKWORM"]) {
    const done = await own.call(["prepare", image, "--id", newJob()]);
    assert.equal(done.code, 1, image);
    assert.match(done.stderr, /debian-bookworm/, "it lists what there is");
  }
});

const HOSTILE = [
  ".",
  "..",
  "/",
  "/etc",
  "../bookworm",
  "a/../bookworm",
  "../../var/lib/nspawn-runner/bookworm",
  "bookworm/..",
  "bookworm/",
  "/bookworm",
  "..:bookworm",
  "debian:../bookworm",
  "bookworm:",
  ":bookworm",
  ":",
  "a:b:bookworm",
  "bookworm@sha256:0000000000000000000000000000000000000000000000000000000000000000",
  ".tests",
  ".leases",
  "-rf",
  "--help",
  "--config=/etc/passwd",
  "book worm",
  " bookworm",
  "bookworm\n",
  "bookworm\u0000",
  "bookworm;id",
  "$(touch /hostile)",
  "`touch /hostile`",
  "b%2e%2e",
  "bookworm\u202e",
  "böokworm",
  "x".repeat(65),
  "x".repeat(100_000),
  "config",
];

onEachHost(
  "a hostile image name of a job is the user's failure, and has no effect",
  async (site) => {
    const before = await site.host.exec(["find", site.store, "-maxdepth", "1"]);
    for (const image of HOSTILE) {
      const overrides = { CI_JOB_IMAGE: CHROOT }; // the response file counts
      const job = await attempt(site, { id: Number(newJob()), image, overrides });
      for (const done of [await job.config(), await job.prepare()]) {
        assert.equal(done.code, BUILD_FAILURE, `${JSON.stringify(image)}: ${done.stderr}`);
        assert.match(done.stderr, /^(nspawn-runner: )?Cannot use image/m, JSON.stringify(image));
      }
      assert.equal((await job.cleanup()).code, 0);
      await job.close();
    }
    await assert.rejects(Deno.stat(site.host.outerPath("/hostile")));
    assert.equal(
      (await site.host.exec(["find", site.store, "-maxdepth", "1"])).stdout,
      before.stdout,
    );
  },
);

onEachHost("a hostile image name on the command line is refused", async (site) => {
  const id = newJob();
  for (const image of ["", ...HOSTILE].filter((name) => !/^-|\0/.test(name))) {
    const words = ["prepare", image.slice(0, 1000), "--id", id];
    const done = await site.call(words);
    assert.ok([1, 2].includes(done.code), `${JSON.stringify(image)}: ${done.code} ${done.stderr}`);
  }
});

onEachHost("an id that makes no valid machine name is a usage error", async (site) => {
  for (const id of ["", ".", "..", "../x", "a b", "a_b", "a/b", "-", "a..b", "ü", "x".repeat(61)]) {
    for (const words of [["prepare", CHROOT], ["run", "/dev/null"], ["cleanup"]]) {
      const done = await site.call([...words, `--id=${id}`]);
      assert.equal(done.code, 2, `${words[0]} --id=${JSON.stringify(id)}: ${done.stderr}`);
    }
  }
});

/** Returns the arguments of each stage in a config.toml. */
function sectionOf(text: string): Section {
  const { runners } = parse(text) as { runners: [{ custom: Record<string, string[]> }] };
  const { custom } = runners[0];
  const words = (stage: string) => custom[`${stage}_args`]!;
  return {
    config: words("config"),
    prepare: words("prepare"),
    run: words("run"),
    cleanup: words("cleanup"),
  };
}

onEachHost("the Python original's config.toml works unchanged", async (site) => {
  const fixture = new URL("original.toml", import.meta.url);
  const original = sectionOf(await Deno.readTextFile(fixture));
  for (const image of ["", `registry.example/ci/${CHROOT}`]) {
    const plan = { id: Number(newJob()), image };
    await withAttempt(site, plan, async (job) => {
      assertDone(await job.config());
      const prepared = await job.prepare();
      assertDone(prepared);
      assert.match(prepared.stderr, new RegExp(`^Chroot ${CHROOT} `));
      assertDone(await job.run("build_script", "true"));
    }, original);
  }
});

onEachHost("the output of toml works unchanged", async (site) => {
  const printed = await site.call(["toml", "--url", "https://gitlab.example.org/"]);
  assert.equal(printed.code, 0, printed.stderr);
  await withAttempt(site, { id: Number(newJob()), image: CHROOT }, async (job) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    assertDone(await job.run("build_script", "true"));
  }, sectionOf(printed.stdout));
});
