/** What a machine sees of a stage: the script, and our few lines that run it and report. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { INSIDE, type MachinePaths } from "../record/paths.ts";
import type { Lease } from "../record/lease.ts";
import { mount, unmountAll } from "../../linux/mounts.ts";
import type { MachineUser } from "../record/user.ts";
import type { StageRun } from "./exec.ts";

/**
 * Runs a stage in the machine and reports how it ended. Words: NONCE, the shells that may run it up
 * to `--` (the first that is there does), their arguments. A caught signal leaves the reporter
 * waiting for the script, which gets the same signal itself. The script's stdin is at its end.
 */
const REPORTER = `#!/bin/sh
nonce=$1
shift
report=${INSIDE}/result
echo "$nonce started" >>"$report"
trap : HUP INT TERM
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
wanted=$1
shell=
while [ "$1" != -- ]; do
  [ -n "$shell" ] || ! command -v "$1" >/dev/null || shell=$1
  shift
done
shift
if [ -z "$shell" ]; then
  echo "nspawn-runner: this image has no $wanted" >&2
  code=127
else
  cd /
  name=root home=/root
  set -- "$shell" "$@"
  if [ -e ${INSIDE}/user ]; then
    {
      read -r uid gid name home
      while read -r folder; do
        mkdir -p "$folder" && chown "$uid:$gid" "$folder"
      done
    } <${INSIDE}/user
    if setpriv --version >/dev/null 2>&1; then
      groups=--clear-groups
      grep -q "^$name:" /etc/passwd && groups=--init-groups
      set -- setpriv "--reuid=$uid" "--regid=$gid" "$groups" --inh-caps=-all -- "$@"
    else
      shift
      set -- su -p -s "$(command -v "$shell")" "$name" "$@"
    fi
  fi
  if [ -e ${INSIDE}/environment ]; then
    while IFS= read -r line; do set -- "$line" "$@"; done <${INSIDE}/environment
  fi
  env -i HOME="$home" USER="$name" LOGNAME="$name" PATH="$PATH" LANG=C.UTF-8 "$@" </dev/null
  code=$?
fi
echo "$nonce $code" >>"$report"
exit "$code"
`;

/**
 * Reports get through however full the machine's disk is, and whoever fills this file system with them, or by
 * /etc/hosts, fills nothing else.
 */
const OWN_TMPFS = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=8,mode=0700,nosuid,nodev,noexec"];

/** More bytes than the reports of all stages that could run at once. */
const REPORT_SIZE = 4096;

/** A program and its options as the first line of a script may name them: nothing to expand. */
const WORD = /^[A-Za-z0-9_.+=,:\/@-]+$/;

/** What holds for all stages of a machine. */
export interface StageChannel {
  /** Who runs scripts; null for root. */
  readonly user: MachineUser | null;
  /** The first id of the machine's own; null where it shares the host's. */
  readonly ids: number | null;
  /** Folders in the machine that belong to that user. */
  readonly owned: readonly string[];
  /** What scripts find in their environment, `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** Whether the machine's writes are limited. */
  readonly limited: boolean;
}

/**
 * Makes the places through which stages come in and reports go out.
 *
 * @param host The outside.
 * @param paths The machine's places; its folder exists.
 * @param stages What holds for all of them.
 */
export async function openChannel(
  host: Host,
  paths: MachinePaths,
  { user, ids, owned, environment, limited }: StageChannel,
): Promise<void> {
  await host.files.removeTree(paths.stage);
  await host.files.makeDirectory(paths.stage);
  await Promise.all([
    host.files.write(join(paths.stage, "reporter"), REPORTER, 0o555),
    host.files.write(join(paths.stage, "result"), ""), // where the result is mounted inside
    host.files.makeDirectory(paths.own),
  ]);
  if (limited) await mount(host, [...OWN_TMPFS, "nspawn-runner", paths.own], `a tmpfs on ${paths.own}`);
  await host.files.write(paths.result, "");
  if (environment.length > 0) {
    await host.files.write(join(paths.stage, "environment"), lines(environment));
  }
  if (user !== null) {
    const { uid, gid, name, home } = user;
    const said = lines([`${uid} ${gid} ${name} ${home}`, ...owned]);
    await host.files.write(join(paths.stage, "user"), said);
    await host.files.chmod(paths.stage, 0o711); // his script alone is his to read, and he knows its name
  }
  if (ids !== null) {
    const entries = (await host.files.list(paths.stage)).map((name) => join(paths.stage, name));
    const all = [paths.stage, paths.result, ...entries];
    await Promise.all(all.map((path) => host.files.chown(path, ids, ids)));
  }
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

/**
 * Removes the places again; fine when there are none.
 *
 * @param host The outside.
 * @param paths The machine's places.
 */
export async function closeChannel(host: Host, paths: MachinePaths): Promise<void> {
  await unmountAll(host, paths.own);
  await host.files.removeTree(paths.stage);
  await host.files.remove(paths.failures);
  await host.files.remove(paths.log);
}

/** Whose scripts are, as a lease tells. */
export type ScriptOwner = Pick<Lease, "user" | "ids">;

/**
 * The user who runs a machine's scripts, as the host sees him.
 *
 * @param owner Whose they are.
 * @returns User and group.
 */
export function scriptOwnerIds({ user, ids }: ScriptOwner): readonly [number, number] {
  return [(ids ?? 0) + (user?.uid ?? 0), (ids ?? 0) + (user?.gid ?? 0)];
}

/**
 * Lays a script where the machine sees it, and nobody else.
 *
 * @param host The outside.
 * @param paths The machine's places.
 * @param script The script, byte for byte.
 * @param shells Who can run it.
 * @param owner Whose it is.
 * @returns What runs it.
 * @throws {Failure} where the script's first line holds more than words.
 */
export async function writeScript(
  host: Host,
  paths: MachinePaths,
  script: Uint8Array,
  shells: Shells,
  owner: ScriptOwner,
): Promise<StageRun> {
  for (const word of [...shells.programs, ...shells.options]) {
    if (!WORD.test(word)) {
      throw refused(
        `Cannot run a script by ${JSON.stringify(word)}: not the name of a program`,
        "Name a program and plain options in its first line",
      );
    }
  }
  const nonce = crypto.randomUUID().replaceAll("-", "");
  // A name of its own: a shell reads its script as it goes, and an earlier one may still run.
  await host.files.write(scriptPath(paths.stage, nonce), script, 0o500);
  const [uid, gid] = scriptOwnerIds(owner);
  if (uid !== 0) await host.files.chown(scriptPath(paths.stage, nonce), uid, gid);
  return {
    nonce,
    argv: [
      "/bin/sh",
      `${INSIDE}/reporter`,
      nonce,
      ...shells.programs,
      "--",
      ...shells.options,
      scriptPath(INSIDE, nonce),
    ],
    report: async () => await host.files.readEnd(paths.result, REPORT_SIZE) ?? "",
  };
}

/**
 * Takes a script away again, with the secrets in it.
 *
 * @param host The outside.
 * @param paths The machine's places.
 * @param stage Whose script.
 */
export function removeScript(host: Host, paths: MachinePaths, stage: StageRun): Promise<void> {
  return host.files.remove(scriptPath(paths.stage, stage.nonce));
}

function scriptPath(folder: string, nonce: string): string {
  return join(folder, `script-${nonce}`);
}

/** Who runs a script. */
export interface Shells {
  /** Names or paths, best first: the first that the machine has is used. */
  readonly programs: readonly string[];
  readonly options: readonly string[];
}

/**
 * Who runs a script: `--shell`, else the script's first line, else what its chroot says.
 *
 * @param script The script.
 * @param argument What `--shell` said.
 * @param fallback The chroot's shell.
 * @returns Programs and options.
 */
export function chooseShells(
  script: Uint8Array,
  argument: string | undefined,
  fallback: string,
): Shells {
  if (argument !== undefined) return { programs: [argument], options: [] };
  const start = new TextDecoder().decode(script.subarray(0, START_SIZE));
  const named = shebangOf(start);
  if (named === null) {
    return { programs: fallback === "bash" ? ["bash", "sh"] : [fallback], options: [] };
  }
  const [program = "sh", ...options] = named;
  // GitLab Runner writes eval $'…' for "sh" too, which only bash can read.
  const ansi = /(^|\/)sh$/.test(program) && start.includes("eval $'");
  return { programs: ansi ? ["bash", program] : [program], options };
}

/** Bytes in which a script shows its kind: GitLab Runner's few lines before the body are shorter. */
const START_SIZE = 4096;

/** The words after `#!`; `env` and its options are not among them, since PATH is looked up anyway. */
function shebangOf(script: string): string[] | null {
  const line = script.match(/^#![ \t]*([^\n]*)/)?.[1];
  if (line === undefined) return null;
  const words = line.trim().split(/[ \t]+/).filter((word) => word !== "");
  if (!/(^|\/)env$/.test(words[0] ?? "")) return words.length === 0 ? null : words;
  const rest = words.slice(1);
  return rest[0] === "-S" ? rest.slice(1) : rest;
}
