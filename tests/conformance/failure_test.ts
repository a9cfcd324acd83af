/** Failing and hostile jobs, driven as by GitLab Runner. */

import assert from "node:assert/strict";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT } from "../hosts/site.ts";
import { REGISTRY_PASSWORD } from "./job.ts";
import { BUILD_FAILURE, SYSTEM_FAILURE } from "./runner.ts";
import {
  assertDone,
  assertFailed,
  leasesOf,
  loseMachine,
  onEachAttempt,
  planOf,
  withAttempt,
} from "./stages.ts";

onEachAttempt("a machine that ends during a script is a system failure", async (job, site) => {
  assertDone(await job.config());
  assertDone(await job.prepare());
  const running = await job.startRun("build_script", "echo begun\nsleep 60");
  await running.untilPrinted("begun");
  await loseMachine(site);
  assert.equal((await running.ended).code, SYSTEM_FAILURE);
  assert.equal((await job.run("after_script", "true")).code, SYSTEM_FAILURE);
});

const ENDINGS = {
  poweroff: "a job that powers off its machine is a system failure",
  reboot: "a job that reboots its machine is a system failure",
};

for (const [command, name] of Object.entries(ENDINGS)) {
  onEachHost(name, async (site) => {
    await withAttempt(site, planOf(CHROOT), async (job) => {
      assertDone(await job.config());
      assertDone(await job.prepare());
      const done = await job.run("build_script", `systemctl ${command}\nsleep 60`);
      assert.equal(done.code, SYSTEM_FAILURE, done.stderr);
      // Its user ids and privileges were verified for the first start alone.
      assert.equal((await job.run("after_script", "true")).code, SYSTEM_FAILURE);
    });
  });
}

onEachAttempt(
  "SIGTERM to a stage fails it, and the stages after it still run",
  async (job, site) => {
    assertDone(await job.config());
    assertDone(await job.prepare());
    const running = await job.startRun("build_script", "echo begun\nsleep 60");
    await running.untilPrinted("begun");
    await site.host.signal(running, "SIGTERM");
    assert.notEqual((await running.ended).code, 0);
    assertDone(await job.run("after_script", "echo still here"));
  },
);

onEachHost("attempts can be repeated after a failure", async (site) => {
  const plan = planOf(CHROOT);
  for (let time = 0; time < 2; time++) {
    await withAttempt(await site.with({ boot: false }), plan, async (job) => {
      assertDone(await job.config());
      assertDone(await job.prepare());
    });
  }
});

onEachHost(
  "an unknown image is the user's failure in config and prepare, at once",
  async (site) => {
    await withAttempt(site, planOf("no-such-image"), async (job) => {
      for (const done of [await job.config(), await job.prepare()]) {
        assert.equal(done.code, BUILD_FAILURE, done.stderr);
        assert.equal(done.stdout, "");
        assert.match(done.stderr, /no-such-image[^]*bookworm/, "it lists what there is");
      }
    });
  },
);

onEachHost("variables of a job do not change its identity, image or folders", async (site) => {
  const overrides = {
    CI_JOB_ID: "1",
    CI_JOB_IMAGE: "../../etc",
    CI_JOB_SERVICES: '["evil"]',
    CI_BUILDS_DIR: "/etc",
    CI_PROJECT_DIR: "/etc",
    CI_PROJECT_ID: "1",
    CI_COMMIT_REF_PROTECTED: "true",
    CI_SERVER_URL: "https://other.example",
    NSPAWN_RUNNER_MACHINE: "run-1",
    NSPAWN_RUNNER_CHROOT: "evil",
    JOB_RESPONSE_FILE: "/dev/null",
    BUILD_FAILURE_EXIT_CODE: "0",
  };
  const plan = { ...planOf(CHROOT), overrides, project: 43, isProtected: false };
  await withAttempt(await site.with({ boot: false }), plan, async (job) => {
    assertDone(await job.config());
    const prepared = await job.prepare();
    assertDone(prepared);
    assert.doesNotMatch(prepared.stderr, /evil|etc/);
    const leases = await leasesOf(site);
    assert.deepEqual(leases.map(({ job }) => job), [`${plan.id}`]);
    assert.match(leases[0]!.machine, new RegExp(`^run-${plan.id}-[0-9a-f]{8}$`));
    assert.match(leases[0]!.folders.join(), /\/43\/unprotected$/);
    assertFailed(await job.run("build_script", "exit 5"), 5);
  });
});

onEachHost("equal job ids of two servers get two machines", async (site) => {
  const own = await site.with({ boot: false });
  const plan = planOf(CHROOT);
  await withAttempt(own, plan, async (one) => {
    await withAttempt(own, { ...plan, instance: "another" }, async (other) => {
      for (const job of [one, other]) {
        assertDone(await job.config());
        assertDone(await job.prepare());
      }
      await one.run("build_script", "echo one > /whose");
      assertDone(await other.run("build_script", "test ! -e /whose"));
    });
    assertDone(await one.run("after_script", "test -e /whose"));
  });
});

onEachHost("secrets of the response file are nowhere else", async (site) => {
  await withAttempt(await site.with({ boot: false }), planOf(CHROOT), async (job) => {
    const said = [await job.config(), await job.prepare()];
    const path = `${site.store}/.leases /run/nspawn-runner ${site.store}/.machines`;
    const search = await site.host.exec(
      [
        "sh",
        "-c",
        `grep -rl ${REGISTRY_PASSWORD.replace("E", "[E]")} ${path} /proc/[0-9]*/cmdline`,
      ],
    );
    assert.equal(search.stdout, "");
    if (site.host.kind === "systemd") {
      const { stdout } = await site.host.exec(["journalctl", "--no-pager", "--quiet"]);
      assert.ok(stdout.length > 0 && !stdout.includes(REGISTRY_PASSWORD));
    }
    said.push(
      await job.run("build_script", "env; find /run/nspawn-runner -type f -exec cat {} + || true"),
    );
    for (const { stdout, stderr } of said) {
      assert.ok(!`${stdout}${stderr}`.includes(REGISTRY_PASSWORD));
    }
  });
});
