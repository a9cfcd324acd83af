/** Runs the changed gitlab-ci-local. It evaluates text of the file as JavaScript, so that this runs only in a machine. */

import { relative } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { messageOf } from "../../failure.ts";
import { lineOf } from "./line_of.ts";
import type { Mistake, ReaderAnswer, ReaderRequest } from "./request.ts";

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

/** A wrong schema, as gitlab-ci-local describes it. */
interface SchemaError {
  readonly message: string;
  /** Keys with dots between them. */
  readonly path: string;
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
  schema(errors: readonly SchemaError[]): void;
  wrongRule(rule: string): never;
  fetch(source: string): void;
  download(url: string): Promise<string>;
}

declare global {
  var nspawnRunner: ReaderHooks;
}

/** A mistake in the file, with the keys that lead to it, or a text of its line. */
class FileMistake extends Error {
  constructor(reason: string, readonly keys: readonly string[], readonly snippet?: string) {
    super(reason);
  }
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
  const text = await host.files.read(request.file);
  if (text === null) {
    return { kind: "mistake", reason: "the working copy has no such file", file: request.file };
  }
  const { promise, resolve } = Promise.withResolvers<ReaderAnswer>();
  globalThis.nspawnRunner = hooks(host, text, request, resolve);
  // A static import would load Node's part of Deno in each call of the script form, which is one file.
  const { default: process } = await import("node:process");
  process.argv = ["deno", "gitlab-ci-local", ...OPTIONS, "--file", request.file];
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
      for (const [name, job] of Object.entries(data)) {
        if (name.startsWith(".") || reserved.has(name)) continue;
        if (typeof job !== "object" || job === null || Array.isArray(job)) {
          throw new FileMistake(`${name} is neither a job nor a keyword of GitLab`, [name]);
        }
        names.push(name);
      }
      if (names.length === 0) throw new FileMistake("it has no job that is not hidden", []);
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
    schema(errors) {
      // The deepest one tells more than that none of the alternatives above it fits.
      const depth = ({ path }: SchemaError) => path.split(".").length;
      const [error] = errors.toSorted((a, b) => depth(b) - depth(a));
      if (error === undefined) return;
      const { message, path } = error;
      const [, unexpected] = message.match(/^'(.+)' property is not expected/) ?? [];
      const keys = path === "" ? [] : path.split(".");
      throw new FileMistake(
        path === "" ? message : `${path}: ${message}`,
        unexpected === undefined ? keys : [...keys, unexpected],
      );
    },
    wrongRule(rule) {
      throw new FileMistake(`rules:if cannot be evaluated: ${rule}`, [], rule);
    },
    fetch(source) {
      if (request.fetch) return;
      throw new FileMistake(
        `it includes ${source}, which is not in the working copy; --fetch allows to fetch it`,
        ["include"],
      );
    },
    async download(url) {
      const { code, stdout, stderr } = await host.processes.capture(
        ["python3", "-c", DOWNLOAD, url],
      );
      if (code === 0) return stdout;
      const reason = stderr.trim().split("\n").at(-1);
      throw new FileMistake(`it includes ${url}, which cannot be fetched: ${reason}`, ["include"]);
    },
  };
}

/** In Python, which every helper root has for its other tools. */
const DOWNLOAD = "import sys, urllib.request as r; " +
  "sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=60).read(8 * 1024 ** 2))";

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

/** Returns the line of an error of js-yaml, from 1, and its file. */
function positionOf(error: unknown): { readonly line?: number; readonly file?: string } {
  const { mark, file } = error as { mark?: { line?: number }; file?: string };
  return {
    ...(mark?.line === undefined ? {} : { line: mark.line + 1 }),
    ...(file === undefined ? {} : { file: relativePath(file) }),
  };
}

/** Returns the path of a file in the working copy. */
function relativePath(path: string): string {
  return relative(".", path);
}

/** Finds the line by the keys of the mistake, by a text that is in it, or by the name of a job in the message. */
function mistakeOf(
  error: unknown,
  file: string,
  text: string,
  names: readonly string[],
): Mistake {
  const position = positionOf(error);
  const { reason = messageOf(error) } = error as { reason?: string };
  const message = reason.trim().replaceAll(/\s*\n\s*/g, " ");
  if (position.line !== undefined) return { kind: "mistake", reason: message, file, ...position };
  return {
    kind: "mistake",
    reason: message,
    file,
    line: lineOfMistake(error, message, text, names),
  };
}

function lineOfMistake(
  error: unknown,
  message: string,
  text: string,
  names: readonly string[],
): number | undefined {
  if (!(error instanceof FileMistake)) return lineOf(text, [namedIn(message, names)]);
  const { keys, snippet } = error;
  if (snippet === undefined) return lineOf(text, keys);
  const index = text.split("\n").findIndex((line) => line.includes(snippet));
  return index === -1 ? undefined : index + 1;
}

/** Returns the longest name of a job that a message contains as a word, or else the keyword that it is about. */
function namedIn(message: string, names: readonly string[]): string {
  const found = names.filter((name) => {
    const word = name.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    return new RegExp(`(?:^|[^\\w-])${word}(?:$|[^\\w-])`).test(message);
  });
  const [name] = found.toSorted((a, b) => b.length - a.length);
  return name ?? (/include|component/i.test(message) ? "include" : "");
}
