/** Stages of jobs on pulled images that have nothing but busybox: checkout, scripts, caches, artifacts. */

import assert from "node:assert/strict";
import type { JobPlan } from "../conformance/job.ts";
import type { Attempt, StageResult } from "../conformance/runner.ts";
import { withRunner } from "../conformance/runner_stand_in.ts";
import { assertDone, assertFailed, begin, withAttempt } from "../conformance/stages.ts";
import type { Registry } from "../hosts/registry.ts";
import type { Site } from "../hosts/site.ts";
import { imageIn, planOfPulled, withImages } from "./images.ts";

const ARCHIVE = "--file /cache/group/project/default/cache.zip --path deps";

/** A checkout as GitLab Runner does it, from a repository that is made on the spot. */
const CHECKOUT = (job: Attempt) =>
  `git init -q --bare /tmp/repository.git
   cd "$(mktemp -d)" && git init -q && git config user.name x && git config user.email x@example.org
   echo text >file && mkdir -p folder && touch folder/program && chmod 755 folder/program
   git add . && git commit -qm one && git push -q /tmp/repository.git HEAD:main
   git clone -q -b main /tmp/repository.git ${job.project()}`;

type PulledPlan = Pick<JobPlan, "image" | "imageOptions" | "overrides">;

/** What the stages of one job printed. */
async function play(own: Site, plan: PulledPlan, script: string): Promise<string> {
  let printed = "";
  await withAttempt(
    own,
    { ...planOfPulled(plan.image), project: 7301, cache: ["deps"], ...plan },
    async (job) => {
      await begin(job);
      const cd = `cd ${job.project()}\n`;
      const stage = async (name: string, body: string) => {
        const done = await job.run(name, body);
        assert.equal(done.code, 0, `${name}: ${done.stdout}${done.stderr}`);
        return done.stdout;
      };
      await stage("get_sources", CHECKOUT(job));
      await stage("restore_cache", `${cd}gitlab-runner cache-extractor ${ARCHIVE}`);
      printed = await stage("step_script", cd + script);
      await stage("archive_cache", `${cd}gitlab-runner cache-archiver ${ARCHIVE}`);
      printed += await stage(
        "upload_artifacts_on_success",
        `${cd}gitlab-runner artifacts-uploader --path folder`,
      );
    },
  );
  return printed;
}

withImages(
  "an image of busybox alone checks out, restores and saves caches, and uploads, as any user",
  {},
  async (site, registry) => {
    const own = await withRunner(site);
    const box = await imageIn(registry, "box:1", {});
    const user = await imageIn(registry, "user:1", {
      layers: ["mkdir etc; echo nobody:x:65534:65533::/srv:/bin/false >etc/passwd"],
      config: ["--config.user=1000:1001"],
    });
    const look =
      `! command -v git && id -u && echo "$HOME" && { cat deps/from 2>/dev/null || true; }; mkdir -p deps && echo "by $(id -u)" >deps/from
       cat file; ls -ln file | cut -c1-10; ls -lnd folder . | cut -c1-10; stat -c %u:%g . file folder/program
       cat "$CONF_FILE"; echo more >>file; touch folder/new`;
    const expected = (uid: number, gid: number, home: string, cached: string) =>
      `${uid}\n${home}\n${cached}text\n-rw-r--r--\ndrwxr-xr-x\ndrwxr-xr-x\n` +
      `${uid}:${gid}\n`.repeat(3) + "the contents of a file\nfolder/\nfolder/program\nfolder/new\n";
    const sorted = (text: string) => text.split("\n").sort();
    const check = async (plan: PulledPlan, text: string) =>
      assert.deepEqual(sorted(await play(own, plan, look)), sorted(text));
    await check({ image: box }, expected(0, 0, "/root", ""));
    const overrides = { PATH: "/usr/bin:/bin" };
    await check({ image: user, overrides }, expected(1000, 1001, "/", "by 0\n"));
    const docker = { user: "nobody" };
    await check(
      { image: user, imageOptions: { executor_opts: { docker } } },
      expected(65534, 65533, "/srv", "by 1000\n"),
    );
    await check({ image: box }, expected(0, 0, "/root", "by 65534\n"));
  },
);

withImages(
  "with persistent_builds a job on an image finds the clone of the job before, and with GIT_STRATEGY none nothing",
  { persistent_builds: true },
  async (own, registry) => {
    const image = await imageIn(registry, "user:1", { config: ["--config.user=1000:1001"] });
    const plan = (overrides = {}) => ({ ...planOfPulled(image), project: 7302, overrides });
    await withAttempt(own, plan(), async (job) => {
      await begin(job);
      assertDone(await job.run("get_sources", CHECKOUT(job)));
      assertDone(
        await job.run(
          "step_script",
          `cd ${job.project()}; echo ignored >.gitignore; touch ignored`,
        ),
      );
    });
    await withAttempt(own, plan({ GIT_STRATEGY: "fetch" }), async (job) => {
      await begin(job);
      const fetched = await job.run(
        "get_sources",
        `cd ${job.project()} && git clean -ffdxq && git log --format=%s -1`,
      );
      assert.equal(fetched.stdout, "one\n", fetched.stderr);
      const seen = await job.run("step_script", `ls -A ${job.project()}; stat -c %u /builds`);
      assert.equal(seen.stdout, ".git\nfile\nfolder\n1000\n");
    });
    await withAttempt(own, plan({ GIT_STRATEGY: "none" }), async (job) => {
      await begin(job);
      const seen = await job.run("step_script", `test ! -e ${job.project()} && stat -c %u /builds`);
      assert.equal(seen.stdout, "1000\n");
    });
  },
);

/** Runs one script of a job; `options` are those of its image. */
async function script(
  own: Site,
  image: string,
  body: string,
  options: JobPlan["imageOptions"] = {},
): Promise<StageResult> {
  let result: StageResult | undefined;
  await withAttempt(own, { ...planOfPulled(image), imageOptions: options }, async (job) => {
    await begin(job);
    result = await job.run("step_script", body);
  });
  return result!;
}

/** An image whose entrypoint is a script. */
function withEntrypoint(registry: Registry, name: string, text: string): Promise<string> {
  const layer = `cat >entry <<'END'\n#!/bin/sh\n${text}\nEND\nchmod 755 entry`;
  return imageIn(registry, `${name}:1`, {
    layers: [layer],
    config: ["--config.entrypoint=/entry", "--config.cmd=ignored", "--config.env=OF_IMAGE=yes"],
  });
}

withImages(
  "entrypoints of images run scripts, or the job's log says why not",
  {},
  async (own, registry) => {
    const polite = await withEntrypoint(
      registry,
      "polite",
      'echo "entry $OF_IMAGE $CI_JOB_NAME $(id -u)"; exec "$@"',
    );
    const done = await script(own, polite, "echo script $CI_JOB_ID; exit 42");
    assertFailed(done, 42);
    assert.match(done.stdout, /^entry yes job \[1\/2\]: ünï 0\nscript \d+\n$/);
    const user = { executor_opts: { docker: { user: "1000" } } };
    const asUser = await script(own, polite, 'id -u; echo "$HOME"', user);
    assertDone(asUser);
    assert.match(asUser.stdout, /^entry yes .* 1000\n1000\n\/\n$/);

    const swallows = await withEntrypoint(registry, "swallows", 'echo "usage: tool"');
    const swallowed = await script(own, swallows, "echo script");
    assertFailed(swallowed, 1);
    assert.match(swallowed.stdout, /^usage: tool$/m);
    assert.match(
      swallowed.stdout + swallowed.stderr,
      /\/entry, did not run the script[^]*entrypoint: \[""\]/,
    );
    const cleared = await script(own, swallows, "echo script", { entrypoint: [""] });
    assertDone(cleared);
    assert.equal(cleared.stdout, "script\n");
    const replaced = await script(own, swallows, "echo script", { entrypoint: ["/bin/sh", "-c"] });
    assertDone(replaced);
    assert.equal(replaced.stdout, "script\n");

    const fails = await withEntrypoint(registry, "fails", "exit 7");
    assertFailed(await script(own, fails, "echo script"), 7);
    const missing = await script(own, fails, "echo script", { entrypoint: ["kubectl"] });
    assertFailed(missing, 127);
    assert.match(missing.stdout + missing.stderr, /this image has no kubectl, its entrypoint/);
  },
);

withImages(
  "a script on an image without a shell fails with a hint, after GitLab Runner's own stages",
  {},
  async (own, registry) => {
    const image = await imageIn(registry, "bare:1", {
      isEmpty: true,
      layers: ["mkdir etc; echo x >etc/x"],
    });
    await withAttempt(own, planOfPulled(image), async (job) => {
      await begin(job);
      assertDone(await job.run("get_sources", CHECKOUT(job)));
      const done = await job.run("step_script", "echo script");
      assertFailed(done, 1);
      assert.match(done.stdout + done.stderr, /this image has no shell/);
    });
  },
);

withImages(
  "scripts of an image have its variables, folder, tools and home",
  {},
  async (own, registry) => {
    const image = await imageIn(registry, "tools:1", {
      layers: [
        "mkdir -p opt/tool srv/work; printf '#!/bin/sh\\necho tool\\n' >opt/tool/mine; chmod 755 opt/tool/mine",
      ],
      config: [
        "--config.env=PATH=/opt/tool:/bin",
        "--config.env=CI_JOB_NAME=image",
        "--config.env=ODD_ONE=a 'b' $c",
        "--config.workingdir=/srv/work",
      ],
    });
    const done = await script(
      own,
      image,
      'mine; echo "$ODD_ONE"; echo "$CI_JOB_NAME"; pwd; echo "$HOME $(umask)"; cat </dev/stdin',
    );
    assertDone(done);
    assert.equal(done.stdout, "tool\na 'b' $c\njob [1/2]: ünï\n/srv/work\n/root 0022\n");
  },
);

withImages(
  "the exit code of a script on an image is reported, also of one that the kernel kills",
  {},
  async (own, registry) => {
    const box = await imageIn(registry, "box:1", {});
    const entry = await withEntrypoint(registry, "entry", 'exec "$@"');
    for (const image of [box, entry]) {
      assertFailed(await script(own, image, "sleep 1000 & exit 42"), 42);
      assertFailed(await script(own, image, "sh -c 'kill -KILL $$'"), 137);
      assertFailed(await script(own, image, "kill -KILL $$"), 137);
    }
  },
);

withImages(
  "a stage of an image ends with its processes; what it wrote stays for the next",
  {},
  async (own, registry) => {
    const image = await imageIn(registry, "box:1", {});
    await withAttempt(own, planOfPulled(image), async (job) => {
      await begin(job);
      assertDone(
        await job.run("get_sources", `mkdir -p ${job.project()} && echo x >${job.project()}/file`),
      );
      const done = await job.run(
        "step_script",
        "cp /bin/busybox /bin/busybox-installed; (sleep 1000 &) ; echo done",
      );
      assertDone(done);
      const upload = await job.run(
        "upload_artifacts_on_success",
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
      );
      assert.doesNotMatch(upload.stdout, /sleep 1000/);
      const running = await job.startRun("step_script", "echo begun; sleep 1000");
      await running.untilPrinted("begun");
      await own.host.signal(running, "SIGTERM");
      assert.notEqual((await running.ended).code, 0);
      const after = await job.run(
        "after_script",
        `/bin/busybox-installed cat ${job.project()}/file`,
      );
      assertDone(after);
      assert.equal(after.stdout, "x\n");
    });
  },
);

/** What images have in the place of files that a machine gets: links to files, to nothing, in a circle, and folders. */
const ODD_FILES = [
  "mkdir etc; ln -s /etc/passwd etc/hosts; ln -s /etc/passwd etc/resolv.conf",
  "mkdir etc; ln -s ../../../srv/none etc/hosts; ln -s /run/resolve/stub.conf etc/resolv.conf",
  "mkdir etc; ln -s hosts etc/hosts; ln -s resolv.conf etc/resolv.conf",
  "mkdir -p etc/hosts/x etc/resolv.conf/x",
  "ln -s /srv/etc etc",
  "ln -s etc etc",
];

withImages(
  "an image with anything in the place of /etc/hosts and /etc/resolv.conf starts, and has its own",
  { extra_hosts: ["one.example.test:192.0.2.1"] },
  async (site, registry) => {
    for (
      const [network, layers] of [["host", ODD_FILES], ["none", ODD_FILES.slice(0, 1)]] as const
    ) {
      const own = await site.with({ network });
      const servers = network === "host" ? "nameserver " : "";
      for (const [number, layer] of layers.entries()) {
        const image = await imageIn(registry, `odd:${number}`, { layers: [layer] });
        await withAttempt(own, planOfPulled(image), async (job) => {
          await begin(job);
          for (const stage of ["get_sources", "step_script"]) {
            const { stdout, stderr } = await job.run(
              stage,
              "cat /etc/hosts; grep -o '^nameserver ' /etc/resolv.conf || true; test -f /etc/resolv.conf; test ! -L /etc",
            );
            assert.match(
              stdout,
              new RegExp(`^192.0.2.1\tone.example.test\n[^]*\n${servers.trim()}`),
              `${layer}: ${stderr}`,
            );
            assert.equal(stdout.includes("nameserver"), network === "host", layer);
          }
        });
      }
    }
  },
);
