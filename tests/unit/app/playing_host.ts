/** A host without systemd that plays nspawn, and the servers of services. */

import type { Host } from "../../../src/host/host.ts";
import { isMachineName } from "../../../src/machines/record/name.ts";
import { machinePaths } from "../../../src/machines/record/paths.ts";
import { answerCat, HOST_FILES, processFiles, statOf } from "../machines/fake_kernel.ts";
import { INIT } from "../machines/plain_machine.ts";
import { standaloneHost } from "../machines/standalone_host.ts";
import type { Answer } from "../recording_host.ts";

/** What happens on a host while machines start. */
interface Events {
  /** Called before each process; its answer is that of the process. */
  readonly answer?: (argv: readonly string[]) => Answer | void;
  /** Called with the name of a service's machine when the program of the service may start. */
  readonly onRelease?: (machine: string) => Promise<void> | void;
  /** What services report then; default: that they have started. */
  readonly report?: string;
}

/** Returns a host on which all machines start but those whose names are given. Its store is a folder, with a helper root. */
export function playingHost(folder: string, failing: readonly string[] = [], events: Events = {}) {
  const files: Record<string, string | (() => string)> = { ...HOST_FILES };
  const started: string[] = [];
  Deno.mkdirSync(`${folder}/store/helper`, { recursive: true });
  const recording = standaloneHost(folder, async (argv): Promise<Answer> => {
    const given = events.answer?.(argv);
    if (given) return given;
    if (argv[0] === "systemd-nspawn") return { stdout: "systemd 252 (252)\n" };
    if (!argv.includes("systemd-nspawn")) return answerCat(argv, files) ?? {};
    const name = argv.find((word) => word.startsWith("--machine="))!.slice("--machine=".length);
    if (failing.includes(name)) return { code: 1 };
    started.push(name);
    // recordingHost() numbers processes so.
    const nspawn = 1000 + recording.processes.findLastIndex((one) => one.argv === argv);
    const leader = nspawn + 1000;
    files[`/proc/${nspawn}/stat`] = statOf(nspawn, 1);
    files[`/proc/${nspawn}/task/${nspawn}/children`] = `${leader} `;
    Object.assign(files, processFiles({ ...INIT, pid: leader }));
    const paths = isMachineName(name) ? machinePaths(`${folder}/store`, name) : null;
    await Deno.writeTextFile(paths!.result, "ready\n");
    return new Promise(() => {}); // lives on
  });
  const openPipe = (path: string) => {
    const name = path.split("/").at(-2)!;
    const write = async () => {
      await events.onRelease?.(name);
      const paths = isMachineName(name) ? machinePaths(`${folder}/store`, name) : null;
      await Deno.writeTextFile(paths!.result, events.report ?? "started\n", { append: true });
    };
    return Promise.resolve({ write, close() {} });
  };
  const chown = () => Promise.resolve(); // the test may not be root
  const host: Host = { ...recording.host, files: { ...recording.host.files, openPipe, chown } };
  return { ...recording, host, started };
}
