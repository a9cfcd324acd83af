/** The command lines of the benchmarks. */

import { parseArgs } from "@std/cli/parse-args";
import type { StorageKind } from "./storage.ts";

/** Of job.ts. */
export const USAGE = `Usage: job.ts [--program PATH] [--image NAME] [--store DIR] [--rounds N]
              [--storage overlay|btrfs|tmpfs] [--plain] [--peer PATH] [--empty PATH] [--json]

  --program PATH  the installed nspawn-runner (default: from PATH)
  --image NAME    a chroot that is ready in the store (default: bookworm)
  --store DIR     where chroots and machines live (default: /var/lib/nspawn-runner)
  --rounds N      jobs of ours to play, after two that do not count (default: 20)
  --storage KIND  how writes are kept off the chroot (default: overlay)
  --plain         machines without systemd
  --peer PATH     another driver of the same contract, called in alternation, with its own
                  configuration
  --empty PATH    an empty program in the form of --program (made when it is a script)
  --json          every single time, as JSON
`;

/** What the command line says. */
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

/**
 * Reads the command line.
 *
 * @param argv Its words.
 * @returns The options, or null where help is asked for.
 * @throws {Error} of a few words where it is wrong.
 */
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

/** Of create.ts. */
export const CREATE_USAGE = `Usage: create.ts [--program PATH] [--store DIR] [--rounds N] [--json]

  --program PATH  the installed nspawn-runner (default: from PATH)
  --store DIR     a folder of the file system that chroots are made on
                  (default: /var/lib/nspawn-runner)
  --rounds N      chroots of ours to make, after one that does not count (default: 3)
  --json          every single time, as JSON
`;

/** What the command line of create.ts says. */
export type CreateOptions = Pick<Options, "program" | "store" | "rounds" | "json">;

/**
 * Reads the command line of create.ts.
 *
 * @param argv Its words.
 * @returns The options, or null where help is asked for.
 * @throws {Error} of a few words where it is wrong.
 */
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
  throw new Error(`Cannot play ${text} rounds: give a number from 1 to 9999`);
}

function storageOf(text: string): StorageKind {
  if (text === "overlay" || text === "btrfs" || text === "tmpfs") return text;
  throw new Error(`Cannot use storage ${text}: it is overlay, btrfs or tmpfs`);
}
