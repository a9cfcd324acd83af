/** A store in a temporary folder, and a fake bootstrap tool. */

import { recreate } from "../../../src/chroots/build/create.ts";
import { changeChroot } from "../../../src/chroots/generations/change_chroot.ts";
import type { Candidate, ChrootContext } from "../../../src/chroots/generations/context.ts";
import { switchTo } from "../../../src/chroots/generations/publish.ts";
import type { ChrootMachine } from "../../../src/chroots/generations/chroot_machines.ts";
import {
  currentNumber,
  generationNumbers,
  type GenerationRecord,
  writeRecord,
} from "../../../src/chroots/generations/record.ts";
import { type ChrootName, isChrootName } from "../../../src/config/chroot_name.ts";
import type { BuildRequest } from "../../../src/chroots/generations/context.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/settings.ts";
import type { Argv, Host } from "../../../src/host/host.ts";
import { THROUGH_PIPE_SCRIPT, TO_STDERR_SCRIPT } from "../../../src/linux/tool.ts";
import { COPY_IMAGE_SCRIPT } from "../../../src/images/store/copy.ts";
import { IMAGE_FACTS_SCRIPT } from "../../../src/images/store/facts.ts";
import { type Registry, skopeo } from "../images/store/fixture.ts";
import { withOwnRun } from "../machines/standalone_host.ts";
import {
  type Answer,
  inFolder,
  PROGRAM_FILE,
  type Recording,
  recordingHost,
} from "../recording_host.ts";

/** Programs that really run. */
const REAL = ["cat", "cp", "du", "find", "stat", "sync"];

/** What a test of chroots works with. */
export interface Fixture extends Recording {
  readonly folder: string;
  readonly config: Config;
  readonly context: ChrootContext;
  /** The machines of the store; a test adds and removes them. */
  readonly machines: ChrootMachine[];
  /** Trees for which a trial was called. */
  readonly tested: Candidate[];
  /** The machines in which trees were built. */
  readonly built: BuildRequest[];
  /** Trees whose layers were dropped. */
  readonly dropped: string[];
  readonly controller: AbortController;
  /** Writes a file below the folder, with the folders above it. */
  put(path: string, text?: string): Promise<void>;
  /** Makes a directory in the store that looks like a root file system. */
  tree(name: string, mark?: string): Promise<void>;
  /** Makes a generation, and makes it current. */
  generation(name: string, number: number, record?: Partial<GenerationRecord>): Promise<void>;
  /** Returns the numbers of all generations, then the current one. */
  generations(name: string): Promise<readonly [readonly number[], number | null]>;
  /** Returns the mark of a tree, or null where there is none. */
  mark(name: string): Promise<string | null>;
}

/** What a test decides. */
export interface FixtureOptions {
  /** Answers for the programs that runTool() starts; it gets the words after the wrapper. */
  readonly tool?: (
    argv: readonly string[],
    fixture: Fixture,
  ) => Answer | void | Promise<Answer | void>;
  /** The trial of new trees; default: they pass. */
  readonly trial?: (candidate: Candidate) => Promise<void>;
  /** A shell in a build machine; default: it changes nothing and ends with 0. */
  readonly shell?: (request: BuildRequest, fixture: Fixture) => Promise<number>;
  /** How many user ids a build machine has. */
  readonly ids?: number;
  /** The answer of the person at the terminal. */
  readonly answer?: string | null;
  readonly terminals?: readonly ("stdin" | "stdout" | "stderr")[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Stands for the command line that enters a build machine; the tree follows, then the command. */
export const ENTER = "enter-machine";

/** Runs a test with a store of its own. */
export function withStore(
  act: (fixture: Fixture) => Promise<void>,
  options: FixtureOptions = {},
): Promise<void> {
  return inFolder(async (folder) => {
    let fixture: Fixture | undefined = undefined;
    const answer = (argv: Argv) => {
      const wrapper = Math.max(argv.indexOf(TO_STDERR_SCRIPT), argv.indexOf(THROUGH_PIPE_SCRIPT));
      const tool = wrapper === -1 ? argv : argv.slice(wrapper + 2);
      if (tool[0] === "cp") return copy(tool);
      return (options.tool ?? bootstrap)(tool, fixture!);
    };
    const { terminals = [], env = {} } = options;
    const recording = recordingHost({ answer, real: REAL, terminals, env, reply: options.answer });
    const controller = new AbortController();
    const machines: ChrootMachine[] = [];
    const tested: Candidate[] = [];
    const built: BuildRequest[] = [];
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
      machines,
      tested,
      built,
      dropped: [],
      controller,
      context: {
        host,
        config,
        machines: {
          list: () => Promise.resolve([...machines]),
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
        withBuildMachine: async (request, _interrupt, act) => {
          built.push(request);
          return await act({
            ids: options.ids ?? 1_048_576,
            enter: (argv) => [ENTER, request.tree, ...argv],
            openShell: async () => await options.shell?.(request, fixture!) ?? 0,
          });
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

/** Registers a test of withStore() on a host that has the programs of builds; none of them runs. */
export function test(
  name: string,
  act: (fixture: Fixture) => Promise<void>,
  options: FixtureOptions = {},
): void {
  Deno.test(name, () =>
    withStore((fixture) => {
      const host = withOwnRun(withPrograms(fixture.context.host), fixture.folder);
      return act({ ...fixture, context: { ...fixture.context, host } });
    }, options));
}

/** Returns a host on which the programs of builds and of transfers are installed. */
export function withPrograms(host: Host): Host {
  const stat = (path: string) =>
    /bin\/(mmdebstrap|ansible-playbook|skopeo|zstd)$/.test(path)
      ? Promise.resolve(PROGRAM_FILE)
      : host.files.stat(path);
  return { ...host, files: { ...host.files, stat } };
}

/** Recreates a chroot, as maintenance does. */
export function recreateChroot(context: ChrootContext, name: ChrootName): Promise<void> {
  return changeChroot(context, name, "recreate", () => recreate(context, name));
}

/** Has a mirror: without it, a test would need the keys of archives on this host. */
function configOf(folder: string): string {
  return `store = "${folder}/store"\ndefinitions = "${folder}/defs"\nmirror = "http://mirror.example/debian"\n`;
}

async function copy(argv: readonly string[]): Promise<Answer> {
  const [program = "", ...args] = argv;
  const { code } = await new Deno.Command(program, { args }).output();
  return { code };
}

/** Returns a host's tools where a registry has images, by the names at which skopeo is asked. */
export function withRegistry(registry: Registry): FixtureOptions {
  const library = { images: new Map<string, readonly string[]>(), bases: ["base"] };
  return {
    async tool(argv, { config: { store } }) {
      const isForImages = argv.some((word) => word === COPY_IMAGE_SCRIPT || word === "skopeo") ||
        argv.includes(IMAGE_FACTS_SCRIPT);
      return await (isForImages ? skopeo(argv, store, registry, [], library) : bootstrap(argv));
    },
  };
}

/** Plays a bootstrap tool: fills the tree in its arguments. */
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
  stranger: null,
  recipe: null,
  image: null,
  size: null,
  made: "2029-01-01T00:00:00.000Z",
  previous: null,
};

/** Returns a text as a name, or throws. */
export function named(text: string): ChrootName {
  if (isChrootName(text)) return text;
  throw new Error(`${text} is no name`);
}

/** Returns a machine that was started from a tree. */
export function machine(name: string, path: string, storage = "overlay"): ChrootMachine {
  return { machine: "run-1", chroot: { name, path }, storage, starting: false };
}
