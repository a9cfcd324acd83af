/** Runs the changed gitlab-ci-local. It evaluates text of the file as JavaScript, so that this runs only in a machine. */

import type { Host } from "../../host/host.ts";
import { nearest } from "../../text/nearest.ts";
import { checkDependency, type Dependent } from "./dependencies.ts";
import { allowFetch, download, notFetched } from "./fetch.ts";
import {
  FileMistake,
  mistakeOf,
  positionOf,
  relativePath,
  type SchemaError,
  schemaMistake,
} from "./mistake.ts";
import { onlyRules } from "./only_rules.ts";
import type { ReaderAnswer, ReaderRequest } from "./request.ts";

/** The part of gitlab-ci-local's parser that is read. */
interface Parser {
  readonly stages: unknown;
  readonly jobs: readonly {
    readonly name: unknown;
    readonly baseName: unknown;
    readonly when: unknown;
    readonly allowFailure: unknown;
    readonly jobData: unknown;
    readonly globalVariables: unknown;
    readonly matrixVariables: unknown;
    readonly nrRule?: unknown;
  }[];
}

/** The functions that the patches call. */
interface ReaderHooks {
  settle(run: Promise<unknown>): Promise<never>;
  finish(parser: Parser): void;
  check(data: Record<string, unknown>, reserved: ReadonlySet<string>): Record<string, unknown>;
  workflow(when: string): void;
  predefined(): Record<string, string>;
  variables(): Record<string, string>;
  repository(): {
    readonly remote: Record<string, string>;
    readonly commit: Record<string, string>;
  };
  changes(): readonly string[] | null;
  duplicate(error: unknown, file: string): void;
  noFunctions(names: string, file: string): void;
  schema(errors: readonly SchemaError[]): void;
  raw(value: string): string;
  compared(variables: Record<string, string>): Record<string, string>;
  wrongRule(rule: string): never;
  fetch(source: string): void;
  download(url: string, integrity: unknown): Promise<string>;
  notFetched(source: string, error: unknown): Error;
  dependency(job: Dependent, other: string, stages: number): void;
  onlyRules(name: string, job: Record<string, unknown>): readonly object[] | null;
}

declare global {
  var nspawnRunner: ReaderHooks;
}

/**
 * Expands a file of the working copy in the current folder.
 *
 * @param program The path of the changed package.
 */
export async function expand(
  host: Host,
  program: string,
  request: ReaderRequest,
): Promise<ReaderAnswer> {
  const { file } = request;
  const found = await host.files.stat(file);
  if (found !== null && found.kind !== "file") {
    return { kind: "mistake", reason: "it is no regular file", file }; // to read a pipe would not end
  }
  const text = await host.files.read(file);
  if (text === null) {
    const hint = "Name the file by its path from the root of the working copy: --file PATH";
    return { kind: "mistake", reason: "the working copy has no such file", file, hint };
  }
  const { promise, resolve } = Promise.withResolvers<ReaderAnswer>();
  globalThis.nspawnRunner = hooks(host, text, request, resolve);
  // A static import would load Node's part of Deno in each call of the script form.
  const { default: process } = await import("node:process");
  process.argv = ["deno", "gitlab-ci-local", ...OPTIONS, "--file", file];
  process.env["NO_COLOR"] = "1";
  await import(`file://${program}`);
  return await promise;
}

/** Options that name no file of the working copy, where a file could change what is read. */
const OPTIONS = [
  ...["--list-json", "--state-dir", "../state", "--home", "../none"],
  ...["--variables-file", "../none", "--inputs-file", "../none"],
];

function hooks(
  host: Host,
  text: string,
  request: ReaderRequest,
  resolve: (answer: ReaderAnswer) => void,
): ReaderHooks {
  const warnings = new Set<string>();
  const names: string[] = [];
  /** The values with expand: false, by their texts that keep their signs when they are expanded. */
  const raw = new Map<string, string>();
  let runs = true;
  const mistake = (error: unknown) => resolve(mistakeOf(error, request.file, text, names));
  return {
    // Never resolves: what follows in the package would end the process.
    settle: (run) => run.catch(mistake).then(() => new Promise(() => {})),
    finish({ stages, jobs }) {
      const expanded = jobs.map((job) => ({
        ...{ name: job.name, key: job.baseName, when: job.when },
        ...{ allowFailure: job.allowFailure, data: job.jobData, rule: job.nrRule },
        ...{ globals: job.globalVariables, matrix: job.matrixVariables },
      }));
      resolve({ kind: "pipeline", stages, jobs: expanded, runs, warnings: [...warnings] });
    },
    check(data, reserved) {
      names.push(...jobNames(data, reserved));
      return data;
    },
    workflow(when) {
      runs = when !== "never";
    },
    predefined: () => ({ CI_PROJECT_PATH: "", ...request.predefined }),
    repository: () => repositoryOf(request.predefined),
    variables: () => ({ ...request.variables }),
    changes: () => request.changes,
    duplicate(error, file) {
      const { line } = positionOf(error);
      warnings.add(
        `${relativePath(file)} line ${line}: a key occurs twice, and the last one counts`,
      );
    },
    noFunctions: (names, file) =>
      void warnings.add(`${file}: functions of inputs are not applied: ${names}`),
    schema(errors) {
      const mistake = schemaMistake(errors);
      if (mistake !== null) throw mistake;
    },
    raw(value) {
      const escaped = value.replaceAll("$", () => "$$");
      raw.set(escaped, value);
      return escaped;
    },
    compared: (variables) =>
      Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [name, raw.get(value) ?? value]),
      ),
    wrongRule(rule) {
      throw new FileMistake(`rules:if cannot be evaluated: ${rule}`, [], { snippet: rule });
    },
    fetch: (source) => allowFetch(request, source),
    download: (url, integrity) => download(host, url, integrity),
    notFetched,
    dependency(job, other, stages) {
      const warning = checkDependency(job, other, stages);
      if (warning !== null) warnings.add(warning);
    },
    onlyRules: (name, job) => onlyRules(name, job, { ...request.predefined, ...request.variables }),
  };
}

/** Returns the names of the jobs that are not hidden. */
function jobNames(data: Record<string, unknown>, reserved: ReadonlySet<string>): string[] {
  const names = Object.keys(data).filter((name) => !name.startsWith(".") && !reserved.has(name));
  for (const name of names) {
    const job = data[name];
    if (typeof job !== "object" || job === null || Array.isArray(job)) {
      throw new FileMistake(`${name} is neither a job nor a keyword of GitLab`, [name]);
    }
    refuseMisspelt(name, Object.keys(job));
  }
  if (names.length === 0) throw new FileMistake("it has no visible job", []);
  return names;
}

/** Names a keyword that is meant to be script:, since only that script: is missing would be told. */
function refuseMisspelt(name: string, keys: readonly string[]): void {
  if (keys.some((key) => ["script", "run", "trigger", "extends"].includes(key))) return;
  const near = nearest("script", keys);
  if (near === undefined) return;
  throw new FileMistake(`${name}: ${near} is no keyword; did you mean script?`, [name, near]);
}

/** Describes the project as gitlab-ci-local does; files of other projects come from the same server. */
function repositoryOf(predefined: Readonly<Record<string, string>>) {
  const value = (name: string) => predefined[`CI_${name}`] ?? "";
  return {
    remote: {
      schema: value("SERVER_PROTOCOL") || "https",
      host: value("SERVER_HOST"),
      port: value("SERVER_PORT") || "443",
      group: value("PROJECT_NAMESPACE"),
      project: value("PROJECT_NAME"),
    },
    commit: { SHA: value("COMMIT_SHA"), REF_NAME: value("COMMIT_REF_NAME") },
  };
}
