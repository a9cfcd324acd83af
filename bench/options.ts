/** The command lines of the benchmarks. */

import { parseArgs } from "@std/cli/parse-args";
import type { StorageKind } from "./storage.ts";

/** The usage of job.ts. */
export const USAGE = `Usage: job.ts [--program PATH] [--image NAME] [--store DIR] [--rounds N]
              [--storage overlay|btrfs|tmpfs] [--plain] [--peer PATH] [--empty PATH] [--json]

  --program PATH  the installed nspawn-runner (default: from PATH)
  --image NAME    a chroot in the store (default: bookworm)
  --store DIR     the folder of chroots and machines (default: /var/lib/nspawn-runner)
  --rounds N      jobs to run, after two that are not counted (default: 20)
  --storage KIND  how writes are kept apart from the chroot (default: overlay)
  --plain         machines without systemd
  --peer PATH     another driver of the same contract, called in alternation, with its own
                  configuration
  --empty PATH    an empty program in the form of --program (created if that is a script)
  --json          every measured time, as JSON
`;

/** Options of job.ts. */
export interface Options {
  readonly program: string;
  readonly image: string;
  readonly store: string;
  readonly rounds: number;
  readonly storage: StorageKind;
  readonly plain: boolean;
  readonly peer: string | undefined;
  readonly empty: string | undefined;
  readonly json: boolean;
}

const VALUES = ["program", "image", "store", "rounds", "storage", "peer", "empty"];
const SWITCHES = ["plain", "json", "help"];

/** Reads the command line of job.ts; returns null for --help. */
export function readOptions(argv: readonly string[]): Options | null {
  const args = parse(argv, VALUES, SWITCHES);
  if (args["help"]) return null;
  return {
    program: args["program"] ?? "nspawn-runner",
    image: args["image"] ?? "bookworm",
    store: args["store"] ?? "/var/lib/nspawn-runner",
    rounds: roundsOf(args["rounds"] ?? "20"),
    storage: storageOf(args["storage"] ?? "overlay"),
    plain: Boolean(args["plain"]),
    peer: args["peer"],
    empty: args["empty"],
    json: Boolean(args["json"]),
  };
}

/** The usage of create.ts. */
export const CREATE_USAGE = `Usage: create.ts [--program PATH] [--store DIR] [--rounds N] [--json]

  --program PATH  the installed nspawn-runner (default: from PATH)
  --store DIR     a folder on the file system for the chroots
                  (default: /var/lib/nspawn-runner)
  --rounds N      chroots to create, after one that is not counted (default: 3)
  --json          every measured time, as JSON
`;

/** Options of create.ts. */
export type CreateOptions = Pick<Options, "program" | "store" | "rounds" | "json">;

/** Reads the command line of create.ts; returns null for --help. */
export function readCreateOptions(argv: readonly string[]): CreateOptions | null {
  const args = parse(argv, ["program", "store", "rounds"], ["json", "help"]);
  if (args["help"]) return null;
  return {
    program: args["program"] ?? "nspawn-runner",
    store: args["store"] ?? "/var/lib/nspawn-runner",
    rounds: roundsOf(args["rounds"] ?? "3"),
    json: Boolean(args["json"]),
  };
}

function parse(argv: readonly string[], values: readonly string[], switches: readonly string[]) {
  const args = parseArgs([...argv], { string: [...values], boolean: [...switches] });
  const unknown = Object.keys(args).filter((name) =>
    name !== "_" && !values.includes(name) && !switches.includes(name)
  );
  const [wrong] = [...unknown.map((name) => `--${name}`), ...args._.map(String)];
  if (wrong !== undefined) throw new Error(`Cannot understand "${wrong}": see --help`);
  return args;
}

function roundsOf(text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  throw new Error(`Cannot run ${text} rounds: give a number from 1 to 9999`);
}

function storageOf(text: string): StorageKind {
  if (text === "overlay" || text === "btrfs" || text === "tmpfs") return text;
  throw new Error(`Cannot use storage ${text}: it must be overlay, btrfs or tmpfs`);
}
