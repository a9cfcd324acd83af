/** Reads files of pipelines by the real gitlab-ci-local, in this process instead of a machine: the tests are no strangers. */

import process from "node:process";
import text from "gitlab-ci-local" with { type: "text" };
import { dirname } from "@std/path/posix";
import type { Pipeline, PipelineJob } from "../../../../src/pipeline/model.ts";
import { readAnswer } from "../../../../src/pipeline/read/answer.ts";
import { expand } from "../../../../src/pipeline/read/expand.ts";
import { patchPackage } from "../../../../src/pipeline/read/patches.ts";
import type { ReaderRequest } from "../../../../src/pipeline/read/request.ts";
import { recordingHost, type RecordingOptions } from "../../recording_host.ts";

/** A working copy, what else is asked, and what the program that fetches files answers. */
export interface Asked extends Partial<ReaderRequest>, Pick<RecordingOptions, "answer"> {
  /** Further files by their paths. */
  readonly files?: Readonly<Record<string, string>>;
}

let count = 0;

/** Reads `.gitlab-ci.yml` of a new working copy. */
export async function read(file: string, asked: Asked = {}): Promise<Pipeline> {
  const folder = await Deno.makeTempDir();
  const before = process.cwd();
  try {
    const { files, ...request } = asked;
    const program = `${folder}/reader.mjs`;
    await Deno.writeTextFile(program, await patchPackage(new TextEncoder().encode(text)));
    await fill(`${folder}/sources`, { ".gitlab-ci.yml": file, ...files });
    // Not Deno.chdir(): a library of gitlab-ci-local keeps the folder until this function is called.
    process.chdir(`${folder}/sources`);
    // Each import runs it again.
    const answer = await expand(recordingHost(asked).host, `${program}?${count++}`, {
      file: ".gitlab-ci.yml",
      predefined: { CI_COMMIT_BRANCH: "main" },
      variables: {},
      changes: null,
      fetch: false,
      ...request,
    });
    return readAnswer(request.file ?? ".gitlab-ci.yml", JSON.stringify(answer));
  } finally {
    process.chdir(before);
    await Deno.remove(folder, { recursive: true });
  }
}

async function fill(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(`${folder}/${path}`), { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, text);
  }
  await new Deno.Command("git", { args: ["init", "--quiet", folder] }).output();
}

/** Reads a file, and returns the job that the test is about: the first one. */
export async function readJob(file: string, asked: Asked = {}): Promise<PipelineJob> {
  return (await read(file, asked)).jobs[0]!;
}

/** A test of the reader: gitlab-ci-local listens to signals as long as the process runs. */
export function testReader(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}
