/** Takes the snapshot of a working copy from which all jobs of a pipeline get their sources. */

import { join } from "@std/path/posix";
import { type Failure, hostFailure, refused } from "../../failure.ts";
import type { Captured, Host } from "../../host/host.ts";
import { requireProgram } from "../../linux/tool.ts";
import { sha256 } from "../../text/hash.ts";
import { archiveLimit } from "../archive_limit.ts";
import type { Commit, Snapshot } from "../model.ts";
import {
  CHANGES_SCRIPT,
  COMMIT_SCRIPT,
  FACTS,
  HASHES_SCRIPT,
  SOURCES_SCRIPT,
  SUBMODULES_SCRIPT,
} from "./git_scripts.ts";
import { type Owner, ownerOf, runAsOwner, writeAsOwner } from "./owner.ts";
import { withoutPassword } from "./remote.ts";

/** What to take. */
export interface SnapshotOptions {
  /** A folder of the working copy. */
  readonly workingCopy: string;
  /** An existing folder for the archives, for root alone. */
  readonly folder: string;
  /** A branch, tag or commit whose files are taken; absent for the files as they are in the working copy. */
  readonly commit?: string;
  /** How many commits `.git` has; 0 for all. */
  readonly depth?: number;
  /** Ends all that reads the working copy when aborted. */
  readonly interrupt?: AbortSignal;
}

/** GitLab's default of GIT_DEPTH for new projects. */
const DEPTH = 20;

/** What the scripts have in common. */
interface Source {
  readonly host: Host;
  readonly owner: Owner;
  readonly folder: string;
  readonly top: string;
  readonly commit: Commit;
  readonly from: "files" | "commit";
  readonly interrupt: AbortSignal | undefined;
}

/**
 * Takes a snapshot.
 *
 * @throws {Failure} `refused` where the folder is in no repository or the commit does not exist, `host` where the files cannot
 *   be read.
 */
export async function takeSnapshot(
  host: Host,
  { workingCopy, folder, commit: ref, depth = DEPTH, interrupt }: SnapshotOptions,
): Promise<Snapshot> {
  await requireProgram(host, "git");
  const owner = await ownerOf(host, workingCopy);
  const facts = { script: COMMIT_SCRIPT, words: [workingCopy, ref ?? ""], interrupt };
  const { top, changed, commit } = factsIn(
    await runAsOwner(host, owner, facts),
    { folder: workingCopy, ref },
  );
  const from = ref === undefined ? "files" : "commit";
  const source: Source = { host, owner, folder, top, commit, from, interrupt };
  const [sources, direct, nested] = await Promise.all([
    writeSources(source, "sources.tar", depth, from),
    writeSubmodules(source, "submodules.tar", depth, "direct"),
    writeSubmodules(source, "nested-submodules.tar", depth, "nested"),
  ]);
  const histories = new Map<number, Promise<string>>();
  const hashes = new Map<string, Promise<string | null>>();
  return {
    ...{ commit, changed, workingCopy: top, owner: owner.uid, sources, depth },
    submodules: direct.archive,
    nestedSubmodules: nested.archive,
    missingSubmodules: nested.missing,
    history: (wanted) =>
      remembered(
        histories,
        wanted,
        () => writeSources(source, `history-${wanted}.tar`, wanted, "history"),
      ),
    changedFiles: () => changedFiles(source),
    hashFiles: (patterns) =>
      remembered(hashes, JSON.stringify(patterns), () => hashFiles(source, patterns)),
  };
}

function remembered<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

function factsIn(read: Captured, { folder, ref }: { folder: string; ref: string | undefined }) {
  if (read.code === NO_COMMIT) {
    throw refused(
      `Cannot read the working copy ${folder}: ${
        ref === undefined ? "it has no commit" : `it has no commit ${JSON.stringify(ref)}`
      }`,
      ref === undefined ? "Commit its files first" : "List branches and tags: git show-ref",
    );
  }
  if (read.code !== 0) {
    throw refused(
      `Cannot read the working copy ${folder}: ${reasonOf(read)}`,
      "Change to a clone of your project, or make one here: git init",
    );
  }
  const texts = read.stdout.split("\0");
  const facts = Object.fromEntries(FACTS.map((name, place) => [name, (texts[place] ?? "").trim()]));
  return { top: facts["top"]!, changed: facts["changed"] !== "", commit: commitOf(facts) };
}

/** The exit code of the script where the commit does not exist. */
const NO_COMMIT = 3;

function commitOf(facts: Readonly<Record<string, string>>): Commit {
  const fact = (name: (typeof FACTS)[number]) => facts[name] ?? "";
  const tag = fact("tag") || null;
  const branch = tag === null ? fact("branch") || "HEAD" : null;
  const remote = fact("remote");
  return {
    sha: fact("sha"),
    branch,
    tag,
    tagMessage: fact("tagMessage"),
    message: fact("message"),
    author: fact("author"),
    timestamp: fact("timestamp"),
    defaultBranch: fact("defaultBranch") || branch || "main",
    remote: remote === "" ? null : withoutPassword(remote),
    user: { name: fact("name"), email: fact("email"), login: fact("login") },
  };
}

async function writeSources(
  source: Source,
  name: string,
  depth: number,
  content: Source["from"] | "history",
): Promise<string> {
  const { host, folder, top, commit } = source;
  const { sha, branch, tag, remote } = commit;
  const ref = tag === null ? `refs/remotes/origin/${branch}` : `refs/tags/${tag}`;
  const file = join(folder, name);
  const words = [top, sha, `${depth}`, ref, remote ?? "", content];
  await writeArchive(source, SOURCES_SCRIPT, words, file);
  await host.files.chmod(file, READABLE);
  return file;
}

/** Submodules of one level. */
interface Submodules {
  readonly archive: string | null;
  /** Lines on those that have no files. */
  readonly missing: readonly string[];
}

async function writeSubmodules(
  source: Source,
  name: string,
  depth: number,
  wanted: "direct" | "nested",
): Promise<Submodules> {
  const { host, folder, top, commit, from } = source;
  if (await host.files.lstat(join(top, ".gitmodules")) === null) {
    return { archive: null, missing: [] };
  }
  const file = join(folder, name);
  const words = [top, commit.sha, `${depth}`, wanted, from];
  const written = await writeArchive(source, SUBMODULES_SCRIPT, words, file);
  const missing = written.stderr.split("\n").filter((line) => line.startsWith("Submodule "));
  if ((await host.files.stat(file))?.size === 0) return { archive: null, missing };
  await host.files.chmod(file, READABLE);
  return { archive: file, missing };
}

/** Runs a program that prints an archive into a file, and returns its messages. */
async function writeArchive(
  { host, owner, folder, top, interrupt }: Source,
  script: string,
  words: readonly string[],
  file: string,
): Promise<Captured> {
  const limit = await archiveLimit(host, folder);
  const written = await writeAsOwner(host, owner, { script, words, interrupt }, file, limit);
  if (written.code === 0) return written;
  const size = (await host.files.stat(file))?.size ?? 0;
  if (limit === undefined || size < limit) throw unreadable(top, written);
  throw hostFailure(
    `Cannot copy the working copy ${top}: it does not fit on the disk of ${folder}`,
    "Free space, or let git ignore files that jobs do not need: .gitignore",
  );
}

/** Users of a machine read the archive; on the host, its folder keeps them off. */
const READABLE = 0o644;

async function hashFiles(
  { host, owner, top, commit, from, interrupt }: Source,
  patterns: readonly string[],
): Promise<string | null> {
  const specs = patterns.map((pattern) => `:(glob)${pattern}`);
  const words = [top, commit.sha, from, ...specs];
  const listed = await runAsOwner(host, owner, { script: HASHES_SCRIPT, words, interrupt });
  if (listed.code !== 0) throw unreadable(top, listed);
  return listed.stdout === "" ? null : (await sha256(listed.stdout)).slice(0, HASH_DIGITS);
}

async function changedFiles(
  { host, owner, top, commit, from, interrupt }: Source,
): Promise<readonly string[] | null> {
  if (commit.tag !== null) return null; // as in GitLab
  const words = [top, commit.sha, commit.defaultBranch, from];
  const listed = await runAsOwner(host, owner, { script: CHANGES_SCRIPT, words, interrupt });
  if (listed.code === NO_COMMIT || listed.stdout === "") return null;
  if (listed.code !== 0) throw unreadable(top, listed);
  return listed.stdout.split("\0").slice(0, -1);
}

/** As many as GitLab's keys have. */
const HASH_DIGITS = 40;

function unreadable(top: string, ended: Captured): Failure {
  const message = `Cannot read the working copy ${top}`;
  if (/git-lfs|filter '?lfs/.test(ended.stderr)) {
    return refused(
      `${message}: it lacks files of the commit that are in LFS: ${reasonOf(ended)}`,
      "Install git-lfs, and fetch them: git lfs fetch origin COMMIT",
    );
  }
  return hostFailure(
    `${message}: ${reasonOf(ended)}`,
    "Repeat the call; if files may not be read, change their permissions",
  );
}

function reasonOf({ stderr, code }: Captured): string {
  const lines = stderr.trim().split("\n");
  // Advice may follow.
  return lines.find((line) => line.startsWith("fatal:")) ??
    (lines.at(-1) || `git exited with ${code}`);
}
