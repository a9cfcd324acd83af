/** Jobs with services, as pipelines for the docker executor declare them. */

import assert from "node:assert/strict";
import { parse } from "@std/yaml/parse";
import { timed } from "../hosts/command.ts";
import { pushImage } from "../hosts/images.ts";
import { pushService } from "../hosts/services.ts";
import type { Site } from "../hosts/site.ts";
import { IN_SERVICE, planWith, withServices } from "../integration/services.ts";
import type { JobPlan, ServicePlan } from "./job.ts";
import { BUILD_FAILURE, type StageResult } from "./runner.ts";
import { assertDone, assertFailed, begin, planOf, withAttempt } from "./stages.ts";

/** A job of the documents. */
interface Sample {
  readonly image: string;
  readonly services: readonly (string | ServicePlan)[];
  readonly variables: Readonly<Record<string, string>>;
  readonly script: readonly string[];
}

/** Returns the page of services. */
function readPage(): Promise<string> {
  return Deno.readTextFile(new URL("../../docs/services.md", import.meta.url));
}

/** Returns the job of the page of services; what its before_script installs is in the tests' image already. */
async function sampleOfDocuments(): Promise<Sample> {
  const page = await readPage();
  const [block] = page.match(/^ {4,}test:\n(?: {4,}.*\n|\n)+/m) ?? [];
  assert.ok(block, "the page has a sample");
  return (parse(block) as { test: Sample }).test;
}

withServices(
  "the sample of the documents runs as it stands, in two jobs at once",
  ["postgres", "redis", "client"],
  {},
  async (own) => {
    const { image, services, variables, script } = await sampleOfDocuments();
    const play = async () => {
      const plan = {
        ...planOf(image),
        services: services.map((one) => typeof one === "string" ? { name: one } : one),
        overrides: variables,
      };
      await withAttempt(own, plan, async (job) => {
        await begin(job);
        const sources = `for name in postgres redis cache; do getent hosts $name; done | wc --lines
          mkdir -p ${job.project()} && echo "of job $CI_JOB_ID" >${job.project()}/file`;
        const checkedOut = await job.run("get_sources", sources);
        assertDone(checkedOut);
        assert.equal(checkedOut.stdout, "3\n");
        const read = `psql --host postgres --username postgres --tuples-only --no-align \\
          --command "select pg_read_file('${job.project()}/file')"`;
        const done = await job.run("build_script", [...script, read].join("\n"));
        assertDone(done);
        assert.match(done.stdout, /^hello$/m);
        assert.match(done.stdout, new RegExp(`^of job ${plan.id}$`, "m"));
        const after = await job.run("after_script", "redis-cli -h cache get greeting");
        assert.equal(after.stdout, "hello\n", after.stderr);
      });
    };
    await Promise.all([play(), play()]);
  },
);

withServices(
  "the documents' call of simulate works as typed",
  ["redis", "client"],
  {},
  async (own) => {
    const [, words] = (await readPage()).match(/^ {4}nspawn-runner (simulate .*--service.*)$/m) ??
      [];
    assert.ok(words, "the page has a call");
    const done = await own.host.exec(["sh", "-c", `"$@" ${words}`, "sh", ...own.words([])]);
    assert.equal(done.code, 0, done.stderr);
  },
);

/** Variables that a service must not have. */
const SECRETS = {
  privateVariables: { DB_PASSWORD: "EXAMPLE-PRIVATE" },
  secrets: { VAULT_PASSWORD: "EXAMPLE-VAULT" },
};

/** What must not be found in a service: also the job's token, and the contents of its file. */
const SECRET_TEXTS = /EXAMPLE-PRIVATE|EXAMPLE-VAULT|glcbt-EXAMPLE|the contents of a file/;

withServices(
  "every name of four services leads to its own, from every stage, the other services and back to the job",
  ["web", "box"],
  {},
  async (own, registry) => {
    await pushService(registry, "web", "g/app:1");
    const host = registry.address.replace(/:.*/, "");
    const names: Readonly<Record<string, readonly string[]>> = {
      app: [`${host}__g__app`, `${host}-g-app`, "db", "database", "my_db"],
      web: ["web"],
      second: ["second"],
      third: ["web-2"],
    };
    const who = (name: string) => ({ variables: { WHO: `${name} of $CI_JOB_ID` } });
    const plan = planWith([
      { name: `${registry.address}/g/app:1`, alias: "db,database my_db", ...who("app") },
      { name: "web:1", ...who("web") },
      { name: "web:1", alias: "second", ...who("second") },
      { name: "web:1", ...who("third") },
    ], { ...SECRETS, overrides: { GREETING: "hello to all" } });
    await withAttempt(own, plan, async (job) => {
      assertDone(await job.config());
      const prepared = await job.prepare();
      assertDone(prepared);
      assert.match(prepared.stderr, /"web:1" is reached as web-2: web is service "web:1"/);
      const sources = `mkdir -p ${job.project()}
        exec 3<>/dev/tcp/my_db/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3`;
      const checkedOut = await job.run("get_sources", sources);
      assertDone(checkedOut);
      assert.equal(checkedOut.stdout, "it works\n");

      const run = async (stage: string, script: string) => {
        const done = await job.run(stage, `${IN_SERVICE}cd ${job.project()}\n${script}`);
        assert.equal(done.code, 0, `${script}\n${done.stdout}${done.stderr}`);
        return done.stdout;
      };
      const all = Object.values(names).flat();
      const asked = all.map((name) => `in_service ${name} 'echo "$WHO"'`).join("\n");
      const expected = Object.entries(names)
        .flatMap(([who, own]) => own.map(() => `${who} of ${plan.id}\n`)).join("");
      assert.equal(await run("build_script", asked), expected);

      const between = `echo 'the job' >index.html; httpd -p 8080
        in_service web 'wget -qO- http://my_db/; wget -qO- http://build:8080/; wget -qO- http://web/'`;
      assert.equal(await run("build_script", between), "it works\nthe job\nit works\n");

      const environment = await run(
        "build_script",
        "in_service db \"cat /proc/[0-9]*/environ | tr '\\0' '\\n'; env\"",
      );
      assert.match(environment, /^GREETING=hello to all$/m);
      assert.match(environment, new RegExp(`^WHO=app of ${plan.id}$`, "m"));
      assert.match(environment, /^CI_PROJECT_PATH=group\/project$/m);
      assert.doesNotMatch(environment, SECRET_TEXTS);

      const files = `echo 'of the job' >mine; echo cached >/cache/mine
        in_service web "cat $PWD/mine /cache/mine; echo of web >$PWD/theirs; echo kept >/tmp/kept"
        cat theirs; stat -c %u theirs`;
      assert.equal(await run("build_script", files), "of the job\ncached\nof web\n0\n");
      assert.equal(await run("after_script", "in_service web 'cat /tmp/kept'"), "kept\n");
    });
  },
);

/** A service that runs a script in place of its server. */
function scripted(alias: string, script: string): ServicePlan {
  return { name: "web:1", alias, command: ["sh", "-c", script] };
}

/** Prepares a job, and runs a script that fails; returns the log of both. */
async function failingJob(own: Site, plan: JobPlan): Promise<[prepared: StageResult, log: string]> {
  let result: [StageResult, string] | undefined;
  await withAttempt(own, plan, async (job) => {
    assertDone(await job.config());
    const prepared = await job.prepare();
    const failed = prepared.code === 0 ? await job.run("build_script", "exit 5") : prepared;
    if (prepared.code === 0) assertFailed(failed, 5);
    result = [prepared, `${failed.stdout}${failed.stderr}`];
  });
  return result!;
}

withServices(
  "a service that ends or never listens is explained with its last words, and the job goes on unless it must not",
  ["web", "box"],
  { wait_for_services_timeout: 4, "overrides.services_required": true },
  async (own) => {
    const dying = scripted("license", "echo 'no license found' >&2; sleep 1; exit 3");
    const mute = scripted("mute", "echo 'waiting for nobody'; exec sleep 1000");
    const [prepared, log] = await failingJob(own, planWith([dying, mute]));
    assertDone(prepared);
    for (const text of [prepared.stderr, log]) {
      assert.match(text, /license.*\b3\b/);
      assert.match(text, /no license found/);
      assert.match(text, /mute/);
      assert.match(text, /waiting for nobody/);
    }
    const patient = await own.with({ wait_for_services_timeout: 60 });
    const took = await timed(async () => {
      const [done] = await failingJob(patient, planWith([dying]));
      assertDone(done);
    });
    assert.ok(took < 40_000, `nobody waits for a service that has ended: ${took} ms`);

    const required = await own.with({ services_required: true });
    const [refused, why] = await failingJob(required, planWith([mute]));
    assert.notEqual(refused.code, 0);
    assert.match(why, /mute[^]*waiting for nobody/);
    const overrides = { NSPAWN_SERVICES_REQUIRED: "true" };
    assert.notEqual((await failingJob(own, planWith([dying], { overrides })))[0].code, 0);
    const [waited] = await failingJob(
      await own.with({ wait_for_services_timeout: -1, services_required: true }),
      planWith([mute]),
    );
    assertDone(waited);
  },
);

withServices(
  "a service that cannot start, or that this host does not allow, fails the job at once as the user's failure",
  ["web", "box"],
  { allowed_services: ["web:*", "box:*"], services_limit: 2 },
  async (own) => {
    const wrong: readonly (readonly [readonly ServicePlan[], RegExp])[] = [
      [[{ name: "web:1", command: ["/no/such", "x"] }], /web[^]*\/no\/such/],
      [[{ name: "box:1", entrypoint: ["no-such"], alias: "odd" }], /box[^]*no-such/],
      [[{ name: "web:2" }], /web:2/],
      [[{ name: "db:1" }], /db:1[^]*allowed_services/],
      [[{ name: "", alias: "db" }], /service ""/],
      [Array.from({ length: 3 }, () => ({ name: "web:1" })), /at most 2[^]*services_limit/],
      [[{ name: "web:1", pull_policy: ["always"] }], /always[^]*if-not-present/],
    ];
    for (const [services, reason] of wrong) {
      await withAttempt(own, planWith(services), async (job) => {
        const took = await timed(async () => {
          const configured = await job.config();
          const done = configured.code === 0 ? await job.prepare() : configured;
          assert.equal(done.code, BUILD_FAILURE, done.stderr);
          assert.match(done.stderr, reason);
        });
        assert.ok(took < 30_000, `${reason}: ${took} ms`);
      });
    }
  },
);

withServices(
  "a health check, a port variable and a service without a port decide when a job is ready",
  ["web", "box"],
  {},
  async (own, registry) => {
    await pushImage(registry, "checked:1", {
      config: [
        "--config.cmd=sh",
        "--config.cmd=-c",
        "--config.cmd=sleep 2; touch /up; exec sleep 1000",
      ],
      healthcheck: ["CMD-SHELL", "test -e /up"],
    });
    const late = "sleep 2; exec httpd -f -p 8081 -h /www";
    const plan = planWith([
      { name: "checked:1" },
      { ...scripted("late", late), variables: { HEALTHCHECK_TCP_PORT: "8081" } },
      { name: "box:1", alias: "portless" },
    ]);
    await withAttempt(own, plan, async (job) => {
      assertDone(await job.config());
      const took = await timed(async () => {
        const prepared = await job.prepare();
        assertDone(prepared);
        assert.doesNotMatch(prepared.stderr, /not ready|did not/i);
      });
      assert.ok(took > 2000 && took < 25_000, `${took} ms`);
      const script = "wget -qO- http://late:8081/; ping -c 1 -W 5 portless >/dev/null && echo up";
      const done = await job.run("build_script", script);
      assert.equal(done.stdout, "it works\nup\n", done.stderr);
    });
  },
);

withServices(
  "the output of services streams into the log where the job asks for it, and fills no disk",
  ["web", "box"],
  {},
  async (own) => {
    const chatty = scripted(
      "chatty",
      "httpd -p 80 -h /www; while :; do echo 'one line'; echo two >&2; sleep 0.1; done",
    );
    const debug = planWith([chatty], { overrides: { CI_DEBUG_SERVICES: "true" } });
    await withAttempt(own, debug, async (job) => {
      await begin(job);
      const script = "for n in 1 2 3 4 5 6 7 8 9; do echo begin $n end; sleep 0.1; done";
      const done = await job.run("build_script", script);
      assertDone(done);
      const log = `${done.stdout}${done.stderr}`;
      assert.equal(log.match(/^begin \d end$/gm)?.length, 9, log);
      assert.match(log, /^\S*\[service:web-chatty\] one line/m);
      assert.match(log, /^\S*\[service:web-chatty\] two/m);
    });
    const loud = scripted(
      "loud",
      "yes 'a line of forty characters, all the same' | head -c 200000000; exec httpd -f -p 80 -h /www",
    );
    await withAttempt(own, planWith([loud]), async (job) => {
      await begin(job);
      const done = await job.run("build_script", "wget -qO- http://loud/");
      assert.equal(done.stdout, "it works\n", done.stderr);
      assert.doesNotMatch(done.stderr, /forty characters/);
      const sizes = await own.host.exec([
        ...["find", "/run/nspawn-runner", own.store, "-xdev", "-type", "f", "-size", "+1M"],
        ...["-newermt", "-10min", "-not", "-path", "*/.images/*"],
      ]);
      assert.equal(sizes.stdout, "", "its output is kept in part");
    });
  },
);

withServices(
  "services are listed with their job, opened by shell, and end with it, also after a cancel",
  ["web", "box"],
  {},
  async (own) => {
    const plan = planWith([{ name: "web:1", alias: "db" }, { name: "web:1", alias: "other" }]);
    await withAttempt(own, plan, async (job) => {
      await begin(job);
      const listed = await own.call(["list"]);
      assert.match(listed.stdout, new RegExp(`${plan.id}[^\\n]*\\n.*\\bdb\\b.*\\n.*\\bother\\b`));
      await own.call(["gc"]);
      const shell = await own.call(["shell", `${plan.id}/db`], { stdin: "echo >/tmp/here\n" });
      assert.equal(shell.code, 0, shell.stderr);
      const running = await job.startRun("build_script", "echo begun; sleep 1000");
      await running.untilPrinted("begun");
      await own.host.signal(running, "SIGTERM");
      assert.notEqual((await running.ended).code, 0);
      const after = await job.run("after_script", `${IN_SERVICE}in_service db 'ls /tmp/here'`);
      assert.equal(after.stdout, "/tmp/here\n", after.stderr);
    });
    assert.doesNotMatch((await own.call(["list"])).stdout, new RegExp(`${plan.id}`));
  },
);
