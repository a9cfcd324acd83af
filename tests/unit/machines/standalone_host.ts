/** A recording host without systemd, whose /run is a folder of the test. */

import type { Host } from "../../../src/host/host.ts";
import { type Answer, type Recording, recordingHost } from "../recording_host.ts";
import { answerCat, HOST_FILES } from "./fake_kernel.ts";

/**
 * Creates such a host.
 *
 * @param folder The test's folder.
 * @param answer Answers of processes; where it gives none, cat(1) reads the files of {@linkcode HOST_FILES}.
 */
export function standaloneHost(
  folder: string,
  answer: (argv: readonly string[]) => Answer | void | Promise<Answer | void>,
): Recording {
  const recording = recordingHost({
    answer: (argv) => answer(argv) ?? answerCat(argv, HOST_FILES),
  });
  return { ...recording, host: withOwnRun(recording.host, folder) };
}

/** Returns a host whose /run is a folder of the test: the real one may have files of other programs. */
export function withOwnRun(host: Host, folder: string): Host {
  const { files } = host;
  const inFolder = (path: string) => path.startsWith("/run/") ? folder + path : path;
  return {
    ...host,
    processes: {
      ...host.processes,
      async capture(argv, options) {
        const [program, _mode, _end, ...pipes] = argv;
        if (program === "mkfifo") {
          for (const pipe of pipes) {
            await files.write(inFolder(pipe), "");
          }
        }
        return await host.processes.capture(argv, options);
      },
    },
    files: {
      ...files,
      read: (path) => files.read(inFolder(path)),
      write: (path, content, mode) => files.write(inFolder(path), content, mode),
      append: (path, text, mode) => files.append(inFolder(path), text, mode),
      replace: (path, text, mode) => files.replace(inFolder(path), text, mode),
      replaceVolatile: (path, text) => files.replaceVolatile(inFolder(path), text),
      makeDirectory: (path, mode) => files.makeDirectory(inFolder(path), mode),
      list: (path) => files.list(inFolder(path)),
      chmod: (path, mode) => files.chmod(inFolder(path), mode),
      lstat: (path) => files.lstat(inFolder(path)),
      remove: (path) => files.remove(inFolder(path)),
      removeTree: (path) => files.removeTree(inFolder(path)),
      lock: (path, purpose) => files.lock(inFolder(path), purpose),
      symlink: (target, path) => files.symlink(target, inFolder(path)),
    },
  };
}
