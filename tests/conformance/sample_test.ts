/** The sample pipeline of the documents, on images of a registry that stands in for Docker Hub. */

import assert from "node:assert/strict";
import { parse } from "@std/yaml/parse";
import { pushService } from "../hosts/services.ts";
import type { Site } from "../hosts/site.ts";
import { withServices } from "../integration/services.ts";
import { inWorkingCopy, linesOf } from "../integration/working_copy.ts";
import { CHECKOUT } from "../unit/source.ts";
import LISTS from "../unit/docker_executor.json" with { type: "json" };
import type { ServicePlan } from "./job.ts";
import type { Attempt } from "./runner.ts";
import { withRunner } from "./runner_stand_in.ts";
import { begin, planOf, withAttempt } from "./stages.ts";

/** A job of the sample, in GitLab's field names. */
interface Job {
  readonly image?: string;
  readonly services?: readonly (string | ServicePlan)[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly before_script?: readonly string[];
  readonly script: readonly string[];
  readonly after_script?: readonly string[];
  readonly cache?: { readonly key: string; readonly paths: readonly string[] };
  readonly artifacts?: {
    readonly paths?: readonly string[];
    readonly reports?: Readonly<Record<string, string>>;
  };
  readonly needs?: readonly string[];
  readonly parallel?: {
    readonly matrix: readonly Readonly<Record<string, readonly string[]>>[];
  };
}

/** Keys of a pipeline that are no jobs. */
const GLOBAL = ["stages", "default", "variables"];

const FILE = `${CHECKOUT}docs/sample/gitlab-ci.yml`;

const SAMPLE = parse(Deno.readTextFileSync(FILE)) as
  & Readonly<Record<string, Job>>
  & { readonly default: { readonly image: string } };

/** What ended jobs leave to those that need them, by the name of the job. */
interface Results {
  /** Base64 of tar archives. */
  readonly artifacts: Map<string, string[]>;
  readonly variables: Map<string, Record<string, string>>;
}

/** Returns the variables of each job that a job of the sample stands for. */
function variantsOf({ parallel }: Job): Record<string, string>[] {
  const [row] = parallel?.matrix ?? [];
  if (row === undefined) return [{}];
  const [[name, values]] = Object.entries(row) as [[string, string[]]];
  return values.map((value) => ({ [name]: value }));
}

const expand = (text: string, variables: Readonly<Record<string, string>>) =>
  text.replace(/\$(\w+)/g, (_, name) => variables[name] ?? "");

/** Runs a stage in the project's folder, and returns its output. */
async function play(job: Attempt, stage: string, lines: readonly string[]): Promise<string> {
  const done = await job.run(stage, [`cd ${job.project()}`, ...lines].join("\n"));
  assert.equal(done.code, 0, `${stage}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** Plays one job of the sample, and adds what it leaves to the results. */
async function playJob(
  own: Site,
  name: string,
  variant: Readonly<Record<string, string>>,
  results: Results,
): Promise<string> {
  const sample = SAMPLE[name]!;
  const inherited = (sample.needs ?? []).map((needed) => results.variables.get(needed));
  const variables: Record<string, string> = Object.assign(
    { CI_PIPELINE_IID: "7" },
    ...inherited,
    sample.variables,
    variant,
  );
  const { key, paths } = sample.cache ?? {};
  const artifacts = [
    ...sample.artifacts?.paths ?? [],
    ...Object.values(sample.artifacts?.reports ?? {}),
  ];
  const plan = {
    ...planOf(expand(sample.image ?? SAMPLE.default.image, variant)),
    project: 7401,
    services: (sample.services ?? []).map((one) => typeof one === "string" ? { name: one } : one),
    overrides: Object.fromEntries(
      Object.entries(variables).map(([name, text]) => [name, expand(text, variables)]),
    ),
    artifacts,
    cache: paths ?? [],
  };
  const archive = `--file /cache/group/project/${expand(key ?? "", variant)}/cache.zip`;
  let printed = "";
  await withAttempt(own, plan, async (job) => {
    await begin(job);
    assert.equal((await job.run("get_sources", `mkdir -p ${job.project()}`)).code, 0);
    if (paths) await play(job, "restore_cache", [`gitlab-runner cache-extractor ${archive}`]);
    for (const tar of (sample.needs ?? []).flatMap((one) => results.artifacts.get(one) ?? [])) {
      await play(job, "download_artifacts", [`base64 --decode <<<'${tar}' | tar -x`]);
    }
    const script = [...sample.before_script ?? [], ...sample.script];
    printed = await play(job, "step_script", script);
    printed += await play(job, "after_script", sample.after_script ?? []);
    if (paths) {
      await play(job, "archive_cache", [`gitlab-runner cache-archiver ${archive} --path ${paths}`]);
    }
    if (artifacts.length === 0) return;
    const upload = `tar -c ${artifacts.join(" ")} | base64 --wrap=0`;
    const tar = await play(job, "upload_artifacts_on_success", [upload]);
    results.artifacts.set(name, [...results.artifacts.get(name) ?? [], tar]);
    const { dotenv } = sample.artifacts?.reports ?? {};
    if (dotenv === undefined) return;
    const text = await play(job, "upload_artifacts_on_success", [`cat ${dotenv}`]);
    const entries = text.trim().split("\n").map((line) => line.split("="));
    results.variables.set(name, Object.fromEntries(entries));
  });
  return printed;
}

/** Plays the sample, and returns the output of each job. */
async function playAll(own: Site): Promise<Record<string, string>> {
  const results: Results = { artifacts: new Map(), variables: new Map() };
  const printed: Record<string, string> = {};
  for (const name of Object.keys(SAMPLE).filter((key) => !GLOBAL.includes(key))) {
    for (const variant of variantsOf(SAMPLE[name]!)) {
      const title = [name, ...Object.values(variant)].join(" ");
      printed[title] = await playJob(own, name, variant, results);
    }
  }
  return printed;
}

/** Returns what the page of the sample tells to write into the configuration. */
async function pullOfDocuments(): Promise<string[]> {
  const page = await Deno.readTextFile(`${CHECKOUT}docs/how-to/sample-pipeline.md`);
  return JSON.parse(page.match(/^ +pull = (.*)$/m)![1]!);
}

withServices(
  "the sample pipeline runs as it stands, with caches, also without GitLab",
  ["postgres", "redis", "client"],
  { pull: await pullOfDocuments() },
  async (site, registry) => {
    await pushService(registry, "client", "debian:bookworm-slim");
    const own = await withRunner(site);
    const first = await playAll(own);
    assert.deepEqual(Object.keys(first), [
      ...["version", "compile bookworm", "compile trixie", "database", "queue"],
    ]);
    assert.match(first["compile bookworm"]!, /^compiled by job \d+\n.*bookworm\n$/s);
    assert.match(first["database"]!, /^\+PONG\r?$/m);
    assert.match(first["queue"]!, /^2\n$/m);
    const second = await playAll(own);
    for (const title of ["compile bookworm", "compile trixie"]) {
      const [compiled] = first[title]!.split("\n");
      assert.equal(second[title]!.split("\n")[0], compiled, title);
    }
    assert.notEqual(first["compile bookworm"]!, first["compile trixie"]!);
    await inWorkingCopy(site, await Deno.readTextFile(FILE), {}, async (copy) => {
      const done = await copy.pipeline(["--json"]);
      assert.equal(done.code, 0, done.stderr);
      for (const [title, printed] of Object.entries(first)) {
        const [key, release] = title.split(" ");
        const name = release === undefined ? title : `${key}: [${release}]`;
        const lines = steady(linesOf(done.stderr, name).join("\n"));
        // The pipeline's lines also have those of GitLab Runner's stages.
        for (const line of steady(printed)) assert.ok(lines.includes(line), `${title}: ${line}`);
      }
    });
  },
);

/** Returns lines of a job without what differs between two runs. */
function steady(printed: string): string[] {
  return printed.split("\n").filter((line) => line !== "" && !/^(?:total|-rw)/.test(line))
    .map((line) => line.replace(/\r$/, "").replace(/(?:by job|1\.0\.)\s*\d+/, ""));
}

Deno.test("the sample pipeline has keywords of GitLab alone", () => {
  const known = LISTS["docs/reference/gitlab-ci-yml.md"].keywords.map((one) => one.split(":")[0]!);
  const jobs = Object.entries(SAMPLE).filter(([key]) => !GLOBAL.includes(key));
  const wrong = jobs.flatMap(([, job]) => Object.keys(job)).filter((key) => !known.includes(key));
  assert.deepEqual(wrong, []);
});
