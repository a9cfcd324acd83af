/** The command line of bench/run.sh, which explains the options, and what the programs on the host get of it. */

import { parseArgs } from "@std/cli/parse-args";
import type { StorageKind } from "./storage.ts";

/** The options as they are given. */
export interface Options {
  readonly host: "trixie" | "bookworm" | "here";
  readonly mode: "jobs" | "crowd" | "alive" | "create" | "images" | "services";
  readonly rounds: number;
  readonly storage: StorageKind;
  /** Whether each machine gets a disk of its own. */
  readonly disk: boolean;
  /** Part of the labels of the drivers to run. */
  readonly only: string;
  /** A program, the prefix of an installed nspawn-runner, or `docker`. */
  readonly peer: string | undefined;
  readonly json: boolean;
}

/** One form of the installed program. */
export interface Form {
  readonly name: "script" | "executable";
  readonly program: string;
  /** An empty program in the same form. */
  readonly empty: string;
}

/** What the program on the host is told. */
export interface Task extends Options {
  readonly forms: readonly Form[];
  readonly store: string;
  readonly image: string;
  /** Path of a tree of busybox alone, for `--services`. */
  readonly busybox: string;
  /** Whether the peer is an nspawn-runner, which gets the same configuration. */
  readonly isPeerOurs: boolean;
  readonly notes: readonly string[];
}

const VALUES = ["host", "rounds", "storage", "only", "peer"];
/** What is measured in place of whole jobs. */
const MODES = ["create", "crowd", "alive", "images", "services"] as const;
const SWITCHES = [...MODES, "disk", "json"];

/** Reads the command line. */
export function readOptions(argv: readonly string[]): Options {
  const args = parseArgs([...argv], { string: VALUES, boolean: SWITCHES });
  const unknown = Object.keys(args).filter((name) => ![...VALUES, ...SWITCHES, "_"].includes(name));
  const [wrong] = [...unknown.map((name) => `--${name}`), ...args._.map(String)];
  if (wrong !== undefined) throw new Error(`Cannot understand "${wrong}": see --help`);
  const modes = MODES.filter((mode) => args[mode]);
  if (modes.length > 1) throw new Error(`Cannot measure both --${modes.join(" and --")}`);
  const mode = modes[0] ?? "jobs";
  return {
    host: oneOf("--host", args["host"] ?? "here", ["trixie", "bookworm", "here"]),
    mode,
    rounds: roundsOf(args["rounds"] ?? String(ROUNDS[mode])),
    storage: oneOf("--storage", args["storage"] ?? "overlay", ["overlay", "btrfs", "tmpfs"]),
    disk: Boolean(args["disk"]),
    only: args["only"] ?? "",
    peer: args["peer"],
    json: Boolean(args["json"]),
  };
}

const ROUNDS = { jobs: 20, alive: 10, crowd: 3, create: 3, images: 10, services: 10 } as const;

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found !== undefined) return found;
  throw new Error(`Cannot use ${option} ${value}: it must be one of ${allowed.join(", ")}`);
}

function roundsOf(text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  throw new Error(`Cannot run ${text} rounds: give a number from 1 to 9999`);
}

/** Reads the task of a program on the host from the file that its only argument names. */
export async function readTask(): Promise<Task> {
  return JSON.parse(await Deno.readTextFile(Deno.args[0]!));
}
