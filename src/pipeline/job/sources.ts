/** The commands that put the sources of a job into its machine. */

import { join } from "@std/path/posix";
import { quote } from "../../text/quote.ts";
import type { PipelineJob, Snapshot } from "../model.ts";
import { commandLines, notice, print, warning } from "./shell.ts";
import type { JobVariables } from "./variables.ts";

/** What a job gets of the snapshot. */
export interface JobSources {
  /** Archives of this host, each with a name in the job's input. */
  readonly archives: readonly { readonly name: string; readonly file: string }[];
  /** Returns the commands of the stage. */
  lines(input: string, variables: JobVariables): string[];
}

/** Decides what a job gets of the snapshot, by its variables `GIT_…`. */
export async function sourcesOf(
  snapshot: Snapshot,
  job: PipelineJob,
  variables: JobVariables,
): Promise<JobSources> {
  const skips = /^(?:none|empty)$/.test(variables.get("GIT_STRATEGY") ?? "");
  const hasFiles = variables.get("GIT_CHECKOUT") !== "false";
  const depth = depthOf(variables, snapshot.depth);
  const strategy = skips ? "none" : variables.get("GIT_SUBMODULE_STRATEGY") ?? "none";
  const modules = submodulesOf(snapshot, strategy);
  const own = skips ? [] : [
    ...(hasFiles ? [{ name: "sources.tar", file: snapshot.sources }] : []),
    ...(hasFiles && depth === snapshot.depth
      ? []
      : [{ name: "history.tar", file: await snapshot.history(depth) }]),
  ];
  const archives = [...own, ...modules];
  return {
    archives,
    lines: (input, { projectDir }) => [
      "export GIT_TERMINAL_PROMPT=0",
      ...commandLines(job.preGetSources),
      `mkdir -p ${quote(projectDir)}`,
      `cd ${quote(projectDir)}`,
      ...ignoredVariables(variables).map(print),
      print(notice(skips ? "Skipping Git repository setup" : titleOf(snapshot, depth))),
      ...archives.flatMap(({ name }) => [
        ...(name === "history.tar" ? ["rm -rf .git"] : []),
        `tar -x -o --no-same-permissions -f ${quote(join(input, name))}`,
      ]),
      ...(strategy === "none" ? [] : snapshot.missingSubmodules.map(warning).map(print)),
      ...(modules.length === 0 ? [] : SUBMODULE_LINES),
    ],
  };
}

/** Variables of GitLab Runner that change how git clones; here, a snapshot is unpacked. */
const IGNORED = [
  ...["GIT_CLONE_PATH", "GIT_CLONE_EXTRA_FLAGS", "GIT_FETCH_EXTRA_FLAGS"],
  ...["GIT_SUBMODULE_PATHS", "GIT_SUBMODULE_UPDATE_FLAGS"],
];

function ignoredVariables(variables: JobVariables): string[] {
  return IGNORED.filter((name) => variables.get(name))
    .map((name) => warning(`${name} has no effect here: the sources come from the working copy`));
}

/** Makes the submodules known to git, as `git submodule update --init` would. */
const SUBMODULE_LINES = [
  "git submodule --quiet init",
  "git submodule --quiet foreach --recursive 'git submodule --quiet init'",
];

function depthOf(variables: JobVariables, otherwise: number): number {
  const text = variables.get("GIT_DEPTH") ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : otherwise;
}

function submodulesOf(snapshot: Snapshot, strategy: string): JobSources["archives"] {
  const { submodules, nestedSubmodules } = snapshot;
  return [
    { name: "submodules.tar", file: strategy === "none" ? null : submodules },
    { name: "nested-submodules.tar", file: strategy === "recursive" ? nestedSubmodules : null },
  ].flatMap(({ name, file }) => file === null ? [] : [{ name, file }]);
}

function titleOf({ commit, changed }: Snapshot, depth: number): string {
  const ref = commit.tag ?? commit.branch;
  const files = changed ? " with the changes of the working copy" : "";
  const history = depth === 0 ? "all commits" : `git depth set to ${depth}`;
  return `Unpacking ${
    commit.sha.slice(0, 8)
  } as detached HEAD (ref is ${ref})${files}, ${history}...`;
}
