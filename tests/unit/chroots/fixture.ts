/** A store in a temporary folder, and a bootstrap tool that is quick. */

import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import type { Candidate, ChrootContext } from "../../../src/chroots/generations/context.ts";
import {
  currentNumber,
  generationNumbers,
  type GenerationRecord,
  writeRecord,
} from "../../../src/chroots/generations/record.ts";
import { switchTo } from "../../../src/chroots/generations/current.ts";
import { type ChrootName, isChrootName } from "../../../src/config/chroot_name.ts";
import type { ChrootMachine } from "../../../src/chroots/generations/machines_port.ts";
import type { Argv } from "../../../src/host/host.ts";
import { type Answer, inFolder, type Recording, recordingHost } from "../recording_host.ts";

/** Programs that are cheap, and whose answers count. */
const REAL = ["cat", "cp", "du", "stat", "sync"];

/** What a test of chroots works with. */
export interface Fixture extends Recording {
  readonly folder: string;
  readonly config: Config;
  readonly context: ChrootContext;
  /** Machines that there are. */
  readonly machines: ChrootMachine[];
  /** Trees that were tested. */
  readonly tested: Candidate[];
  /** Trees whose layers were dropped. */
  readonly dropped: string[];
  readonly controller: AbortController;
  /** Writes a file below the folder, with the folders above it. */
  put(path: string, text?: string): Promise<void>;
  /** Makes a tree in the store that looks like a root. */
  tree(name: string, mark?: string): Promise<void>;
  /** Makes a generation, and makes it current. */
  generation(name: string, number: number, record?: Partial<GenerationRecord>): Promise<void>;
  /** The numbers of generations that there are, then the current one. */
  generations(name: string): Promise<readonly [readonly number[], number | null]>;
  /** The mark of a tree, or null where there is none. */
  mark(name: string): Promise<string | null>;
}

/** What a test decides. */
export interface FixtureOptions {
  /** Answers of the programs that tools.ts starts, given the words after its wrapper. */
  readonly tool?: (
    argv: readonly string[],
    fixture: Fixture,
  ) => Answer | void | Promise<Answer | void>;
  /** The test of new trees; they pass without it. */
  readonly trial?: (candidate: Candidate) => Promise<void>;
  /** What the person at the terminal answers. */
  readonly answer?: string | null;
  readonly terminals?: readonly ("stdin" | "stdout" | "stderr")[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a test on a store of its own.
 *
 * @param act The test.
 * @param options What it decides.
 */
export function withStore(
  act: (fixture: Fixture) => Promise<void>,
  options: FixtureOptions = {},
): Promise<void> {
  return inFolder(async (folder) => {
    let fixture: Fixture | undefined = undefined;
    const answer = (argv: Argv) => {
      const words = argv.slice(argv.indexOf("sh", argv.indexOf("sh") + 1) + 1);
      const tool = argv[0] === "setpriv" ? words : argv;
      if (tool[0] === "cp") return copy(tool);
      return (options.tool ?? bootstrap)(tool, fixture!);
    };
    const { terminals = [], env = {} } = options;
    const recording = recordingHost({ answer, real: REAL, terminals, env, said: options.answer });
    const controller = new AbortController();
    const users: ChrootMachine[] = [];
    const tested: Candidate[] = [];
    const file = `${folder}/config.toml`;
    await Deno.writeTextFile(file, configOf(folder));
    const config = await loadConfig(recording.host, file);
    const { host } = recording;
    const put = async (path: string, text = "") => {
      const full = `${folder}/${path}`;
      await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(full, text);
    };
    fixture = {
      ...recording,
      folder,
      config,
      machines: users,
      tested,
      dropped: [],
      controller,
      context: {
        host,
        config,
        machines: {
          list: () => Promise.resolve([...users]),
          whileNoneStarts: (act) => act(),
          dropLayers: (tree) => {
            fixture!.dropped.push(tree);
            return Promise.resolve();
          },
        },
        trial: async (candidate) => {
          tested.push(candidate);
          await options.trial?.(candidate);
        },
        interrupt: controller.signal,
      },
      put,
      async tree(name, mark = "old") {
        await put(`store/${name}/usr/mark`, mark);
        await put(`store/${name}/etc/machine-id`, "0123");
      },
      async generation(name, number, record = {}) {
        await put(`store/.generations/${name}/${number}/usr/mark`, `mark ${number}`);
        await put(`store/.generations/${name}/${number}/etc/machine-id`, "");
        await writeRecord(host, config.store, named(name), number, { ...RECORD, ...record });
        await switchTo(host, config.store, named(name), number);
      },
      generations: async (name) => [
        await generationNumbers(host, config.store, named(name)),
        await currentNumber(host, config.store, named(name)),
      ],
      mark: (name) => host.files.read(`${folder}/store/${name}/usr/mark`),
    };
    await act(fixture);
  });
}

/** The keys of archives may be missing where tests run: a mirror makes them the tool's affair. */
function configOf(folder: string): string {
  return `store = "${folder}/store"\ndefinitions = "${folder}/defs"\nmirror = "http://mirror.example/debian"\n`;
}

async function copy(argv: readonly string[]): Promise<Answer> {
  const [program = "", ...args] = argv;
  const { code } = await new Deno.Command(program, { args }).output();
  return { code };
}

/** Fills the tree that a bootstrap tool is told to fill. */
export async function bootstrap(argv: readonly string[]): Promise<Answer | void> {
  const tree = argv.find((word) => word.startsWith("/") && word.endsWith("/root"));
  if (argv[0] === "ansible-playbook" || tree === undefined) return;
  await Deno.mkdir(`${tree}/usr`, { recursive: true });
  await Deno.mkdir(`${tree}/etc`, { recursive: true });
  await Deno.writeTextFile(`${tree}/usr/mark`, "new");
  await Deno.writeTextFile(`${tree}/etc/machine-id`, "0123456789abcdef\n");
}

const RECORD: GenerationRecord = {
  version: 1,
  origin: "sid",
  pin: null,
  recipe: null,
  image: null,
  size: null,
  made: "2029-01-01T00:00:00.000Z",
  previous: null,
};

/** A name that is known to be one. */
export function named(text: string): ChrootName {
  if (isChrootName(text)) return text;
  throw new Error(`${text} is no name`);
}

/** A machine of a chroot. */
export function machine(name: string, path: string, storage = "overlay"): ChrootMachine {
  return { machine: "run-1", chroot: { name, path }, storage, starting: false };
}
