/** Makes and removes the files by which a machine gets the scripts of its stages and reports how they ended. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { mount, unmountAll } from "../../linux/mounts.ts";
import { CHANNEL, SERVER_UNIT } from "../record/channel.ts";
import type { MachinePaths } from "../record/paths.ts";
import type { MachineUser } from "../record/user.ts";
import { scriptOwnerIds } from "./script_owner.ts";
import type { StageServer } from "./stage_server.ts";

/** What all stages of a machine share. */
export interface ChannelOptions {
  readonly server: StageServer;
  /** The user who runs scripts; null for root. */
  readonly user: MachineUser | null;
  /** The first of the machine's own ids; null where it shares the host's. */
  readonly ids: number | null;
  /** Folders in the machine that are given to that user. */
  readonly owned: readonly string[];
  /** Variables of scripts' environment, `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** Whether the machine's writes are limited. */
  readonly limited: boolean;
}

/** Creates the files of a machine's channel; the machine's own folder exists. */
export async function openChannel(
  host: Host,
  paths: MachinePaths,
  { server, user, ids, owned, environment, limited }: ChannelOptions,
): Promise<void> {
  await host.files.removeTree(paths.stage);
  await host.files.makeDirectory(paths.stage);
  await host.files.makeDirectory(join(paths.stage, CHANNEL.units), 0o755);
  await Promise.all([
    host.files.write(join(paths.stage, CHANNEL.server), server.program, 0o555),
    host.files.write(join(paths.stage, CHANNEL.units, SERVER_UNIT), server.unit, 0o444),
    host.files.write(join(paths.stage, CHANNEL.result), ""), // mount point of paths.result
    makePipes(host, paths),
    host.files.makeDirectory(paths.own),
  ]);
  if (limited) {
    await mount(host, [...REPORT_TMPFS, "nspawn-runner", paths.own], `a tmpfs on ${paths.own}`);
  }
  await host.files.write(paths.result, "");
  if (environment.length > 0) {
    await host.files.write(join(paths.stage, CHANNEL.environment), toLines(environment));
  }
  if (user !== null) await writeUser(host, paths, user, owned);
  if (ids !== null) await chownChannel(host, paths, ids);
  await chownOutput(host, paths, user, ids);
}

/**
 * A file system for the files that are shared with the machine: reports can be written to it when the machine's disk
 * is full, and a job that fills it, by reports or by /etc/hosts, does not fill the disk of the host.
 */
const REPORT_TMPFS = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=8,mode=0700,nosuid,nodev,noexec"];

const OUTPUT = [CHANNEL.stdout, CHANNEL.stderr] as const;

/**
 * A machine can write to a pipe in a folder that is mounted read-only, but not replace it. Nothing that outlives a stage
 * may read the output of the next one.
 */
async function makePipes(host: Host, paths: MachinePaths): Promise<void> {
  const call = join(paths.stage, CHANNEL.call);
  const pipes = [call, ...OUTPUT.map((name) => join(paths.stage, name))];
  const { code, stderr } = await host.processes.capture(["mkfifo", "--mode=200", "--", ...pipes]);
  if (code !== 0) throw hostFailure(`Cannot make the machine's pipes: ${stderr.trim()}`);
  await host.files.chmod(call, 0o400);
}

async function writeUser(
  host: Host,
  paths: MachinePaths,
  { uid, gid, name, home }: MachineUser,
  owned: readonly string[],
): Promise<void> {
  await host.files.write(
    join(paths.stage, CHANNEL.user),
    toLines([`${uid} ${gid} ${name} ${home}`, ...owned]),
  );
  // The user may enter the folder but not list it: they know the name of their own script only.
  await host.files.chmod(paths.stage, 0o711);
}

async function chownChannel(host: Host, paths: MachinePaths, id: number): Promise<void> {
  const files = (await host.files.list(paths.stage)).map((name) => join(paths.stage, name));
  const all = [paths.stage, paths.result, ...files];
  await Promise.all(all.map((path) => host.files.chown(path, id, id)));
}

/** `echo >/dev/stderr` in a script opens the pipe again, which only its owner may do. */
async function chownOutput(
  host: Host,
  paths: MachinePaths,
  user: MachineUser | null,
  ids: number | null,
): Promise<void> {
  const [uid, gid] = scriptOwnerIds({ user, ids });
  if (uid === 0) return;
  await Promise.all(OUTPUT.map((name) => host.files.chown(join(paths.stage, name), uid, gid)));
}

function toLines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

/** Removes the files of a machine's channel; succeeds also where there are none. */
export async function closeChannel(host: Host, paths: MachinePaths): Promise<void> {
  await unmountAll(host, paths.own);
  await host.files.removeTree(paths.stage);
  await host.files.remove(paths.stageLock);
  await host.files.remove(paths.failures);
  await host.files.remove(paths.log);
}
