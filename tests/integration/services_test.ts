/** Services in the ways in which machines are kept apart, and what is left of those that were killed. */

import assert from "node:assert/strict";
import type { ServicePlan } from "../conformance/job.ts";
import { attempt } from "../conformance/runner.ts";
import {
  assertDone,
  begin,
  fakeRunner,
  leasesOf,
  planOf,
  withAttempt,
} from "../conformance/stages.ts";
import { must, timed } from "../hosts/command.ts";
import { until } from "../hosts/init_process.ts";
import { leftovers } from "../hosts/leftovers.ts";
import { databasesChroot } from "../hosts/roots.ts";
import { onEachHost } from "../hosts/shared.ts";
import { CHROOT, type Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { addBusybox, BUSYBOX, linkHelper } from "./helper_root.ts";
import { IN_SERVICE, planWith, withServices } from "./services.ts";
import { withoutMaps } from "./shifted.ts";
import { define, linkChroot, PATIENCE, succeed, withStore } from "./store.ts";

/** Lists everything that machines may leave on a host and in a store, a line each. */
async function remains({ host, store }: Site): Promise<string[]> {
  const look = `cd ${store} && find .leases .machines .disks -mindepth 1 -not -name '.*' 2>/dev/null
ip -o link | grep -o 'nr-[^:@]*'
ls -d /run/nspawn-runner/*-* 2>/dev/null`;
  const { stdout } = await host.exec(["sh", "-c", look]);
  return [
    ...stdout.split("\n").filter((line) => line !== ""),
    ...await leftovers(host, /\.lck$/, 0),
  ];
}

/** Asserts that nothing is left soon. */
async function assertNothingLeft(own: Site, when: string): Promise<void> {
  await until(async () => (await remains(own)).length === 0 || null, 30_000);
  assert.deepEqual(await remains(own), [], when);
}

/** How often prepare is killed, at points that are evenly spaced over its duration. */
const POINTS = 10;

withServices(
  "gc removes services half started, those of a killed runner, and no others",
  ["web", "box"],
  {},
  async (own) => {
    const services = [{ name: "web:1" }, { name: "web:1", alias: "second" }];
    let duration = 0;
    for (let time = 0; time < 2; time++) { // the first one pulls
      await withAttempt(own, planWith(services), async (job) => {
        assertDone(await job.config());
        duration = await timed(async () => assertDone(await job.prepare()));
      });
    }
    const caller = await fakeRunner(own);
    await withAttempt(own, planWith(services), async (bystander) => {
      await begin(bystander);
      const before = (await leasesOf(own)).map(({ machine }) => machine);
      assert.equal(before.length, 3);
      for (let point = 1; point <= POINTS + 1; point++) {
        const job = await attempt(own, planWith(services), undefined, caller);

        const running = job.startPrepare();
        if (point <= POINTS) {
          await new Promise((resolve) => setTimeout(resolve, duration * point / POINTS));
        } else await running.untilPrinted("it ended with 0");
        await own.host.signal(running, "SIGKILL");
        await running.ended;
        await job.close();
        await succeed(own, "gc");
        const left = async () => (await leasesOf(own)).map(({ machine }) => machine);
        await until(async () => (await left()).length === 3 || null, 30_000);
        assert.deepEqual(await left(), before, `killed at point ${point} of ${POINTS}`);
      }
      const done = await bystander.run(
        "build_script",
        `${IN_SERVICE}in_service second 'echo here'`,
      );
      assert.equal(done.stdout, "here\n", done.stderr);
    });
    await assertNothingLeft(own, "after all");
  },
);

withServices(
  "a booted chroot is a service of several programs, and a chroot's definition names its program",
  ["client"],
  {},
  async (own) => {
    const { host, store } = own;
    const tree = host.outerPath(`${store}/databases`);
    await must(["cp", "--archive", "--reflink=auto", await databasesChroot(), tree], PATIENCE);
    await define(own, "databases", "boot = true\n");
    await addBusybox(own);
    await define(own, BUSYBOX, 'service = ["/bin/httpd", "-f", "-p", "80", "-h", "/etc"]\n');
    const services = [
      { name: "databases", alias: "postgres redis" },
      { name: BUSYBOX, variables: { HEALTHCHECK_TCP_PORT: "80" } },
    ];
    await withAttempt(own, { ...planOf("debian:trixie-slim"), services }, async (job) => {
      await begin(job);
      const script = `psql --host postgres --username postgres --command 'create table t (n int)'
        redis-cli -h redis ping
        exec 3<>/dev/tcp/${BUSYBOX}/80
        printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' >&3
        grep ^root <&3`;
      const done = await job.run("build_script", script);
      assertDone(done);
      assert.equal(done.stdout, "CREATE TABLE\nPONG\nroot:x:0:0::/root:/bin/sh\n");
    });
  },
);

/** A web server on a port, which also a user of the host's network can have. */
function webOn(port: number, alias: string): ServicePlan {
  return {
    name: "web:1",
    alias,
    command: ["httpd", "-f", "-p", `${port}`, "-h", "/www"],
    variables: { HEALTHCHECK_TCP_PORT: `${port}` },
  };
}

withServices(
  "services run with every kind of user ids and of network, and only with the host's they share ports",
  ["web", "box"],
  {},
  async (own, registry) => {
    const services = [webOn(8041, "one"), webOn(8042, "two")];
    const look = `wget -qO- http://one:8041/
      wget -qO- --post-data 'wget -qO- http://two:8042/; cat /proc/self/uid_map' http://one:8041/cgi-bin/run
      timeout 3 wget -qO- http://${registry.address}/v2/ >/dev/null && echo a way out`;
    const kinds = [
      { private_users: "off" },
      { private_users: "required" },
      { network: "none" },
      { network: "private" },
      { network: "host" },
    ];
    for (const settings of kinds) {
      const kind = JSON.stringify(settings);
      await withAttempt(await own.with(settings), planWith(services), async (job) => {
        assertDone(await job.config());
        const prepared = await job.prepare();
        if (settings.private_users === "required" && /user ids/.test(prepared.stderr)) {
          if (prepared.code !== 0) return; // the host has none
        }
        assertDone(prepared);
        const done = await job.run("build_script", `{ ${look}\n} || :`);
        assert.match(done.stdout, /^it works\nit works\n/, kind);
        const hasMap = !/^ *0 +0 +4294967295$/m.test(done.stdout);
        if (settings.private_users !== undefined) {
          assert.equal(hasMap, settings.private_users === "required", kind);
        }
        assert.equal(/a way out/.test(done.stdout), settings.network !== "none", kind);
      });
    }
    await withoutMaps(own, {}, async (shifted) => {
      await linkHelper(shifted);
      await withAttempt(shifted, planWith(services), async (job) => {
        await begin(job);
        const script = "wget -qO- http://one:8041/; touch /builds/mine; stat -c %u /builds/mine";
        const done = await job.run("build_script", script);
        assert.equal(done.stdout, "it works\n0\n", done.stderr);
        for (const { layer } of await leasesOf(shifted)) assert.notEqual(layer, null);
      });
    });
    const shared = await own.with({ network: "host" });
    const listener = own.host.start(["python3", "-m", "http.server", "8043"], PATIENCE);
    try {
      const taken: readonly (readonly [readonly ServicePlan[], RegExp])[] = [
        [[{ name: "web:1" }, { name: "web:1", alias: "other" }], /web.*other.*port 80\b/],
        [[webOn(8043, "third")], /third.*port 8043\b/],
      ];
      for (const [services, reason] of taken) {
        await withAttempt(shared, planWith(services), async (job) => {
          const configured = await job.config();
          const done = configured.code === 0 ? await job.prepare() : configured;
          assert.notEqual(done.code, 0);
          assert.match(done.stderr, reason);
        });
      }
    } finally {
      await own.host.signal(listener, "SIGKILL");
      await listener.ended;
    }
  },
);

onEachHost("chroots are services also where their writes are on btrfs", async (site) => {
  const other = await site.onBtrfs();
  if (other === null) return skipReal("services on btrfs", "no btrfs can be mounted");
  await withStore(other, { storage: "btrfs" }, async (own) => {
    await linkChroot(own, other);
    await linkHelper(own);
    const server = ["python3", "-m", "http.server", "80"];
    const service = { name: CHROOT, alias: "web", variables: { HEALTHCHECK_TCP_PORT: "80" } };
    const services = [{ ...service, command: server }];
    await withAttempt(own, { ...planOf(CHROOT), services }, async (job) => {
      assertDone(await job.config());
      const prepared = await job.prepare();
      assertDone(prepared);
      assert.match(prepared.stderr, /^Storage btrfs\b/m);
      const done = await job.run("build_script", ": <>/dev/tcp/web/80 && echo there");
      assert.equal(done.stdout, "there\n", done.stderr);
    });
  });
});

withServices(
  "a builds folder that is kept is seen by the services of later jobs",
  ["web", "box"],
  { persistent_builds: true },
  async (own) => {
    for (const expected of ["no file", "of the job before"]) {
      const plan = planWith([{ name: "web:1" }], { project: 7401 });
      await withAttempt(own, plan, async (job) => {
        await begin(job);
        const file = `${job.project()}/ignored`;
        const done = await job.run(
          "build_script",
          `${IN_SERVICE}in_service web 'cat ${file} || echo no file'
          mkdir -p ${job.project()}; echo of the job before >${file}`,
        );
        assert.match(done.stdout, new RegExp(`^${expected}$`, "m"), done.stderr);
      });
    }
    await own.host.exec(["rm", "-rf", `${own.store}/.cache`]);
  },
);

withServices(
  "services of the configuration run beside every job, within their limits, and simulate starts others",
  ["web", "box"],
  {
    services: [{
      name: "web:1",
      alias: "proxy",
      command: ["httpd", "-f", "-p", "80", "-h", "/www"],
    }],
    "service_limits.tasks_max": "77",
  },
  async (own) => {
    const job = planWith([{ name: "web:1", alias: "proxy mine" }]);
    await withAttempt(own, job, async (attempted) => {
      assertDone(await attempted.config());
      const prepared = await attempted.prepare();
      assertDone(prepared);
      assert.match(prepared.stderr, /is not reached as proxy/);
      const script = "wget -qO- http://proxy/; wget -qO- http://mine/";
      const done = await attempted.run("build_script", script);
      assert.equal(done.stdout, "it works\nit works\n", done.stderr);
      if (own.host.kind === "systemd") {
        const shown = await own.host.exec([
          ...["systemctl", "show", "--property=TasksMax", `nspawn-runner-service-${job.id}-*`],
        ]);
        assert.match(shown.stdout, /^TasksMax=77$/m);
      }
    });
    const simulated = await own.call([
      ...["simulate", "--image", "box:1", "--service", "web:1=db"],
      ...["--", "wget", "-qO-", "http://db/", "http://proxy/"],
    ]);
    assert.equal(simulated.code, 0, `${simulated.stdout}${simulated.stderr}`);
    assert.match(simulated.stdout, /^it works\nit works$/m);
  },
);
