/** What tests of storages share: a host on which folders stay mounted until they are unmounted. */

import type { Argv } from "../../../../src/host/host.ts";
import { type Answer, inFolder, type Recording, recordingHost } from "../../recording_host.ts";

export const MIB = 1024 ** 2;

/** A host, and the folders on which something is mounted. */
export type MountingHost = Recording & { readonly mounted: ReadonlySet<string> };

/** Runs a test with a machine's own folder in a new store. */
export async function inMachine(
  act: (folder: string, scene: MountingHost) => Promise<void>,
): Promise<void> {
  await inFolder(async (store) => {
    const folder = `${store}/.machines/run-42`;
    await Deno.mkdir(folder, { recursive: true });
    await act(folder, mountingHost());
  });
}

/** A host that notes mounts: a folder on which something is mounted has another device number. */
export function mountingHost(answer: (argv: Argv) => Answer | void = () => {}): MountingHost {
  const mounted = new Set<string>();
  const recording = recordingHost({
    answer(argv): Answer | void {
      const given = answer(argv);
      if (given !== undefined) return given;
      if (argv[0] === "umount") mounted.delete(argv.at(-1)!);
      if (argv[0] === "mount" || argv[0] === "sh") mounted.add(argv.at(-1)!);
    },
  });
  const { files } = recording.host;
  const stat = async (path: string) => {
    const stat = await files.stat(path);
    return stat && { ...stat, dev: stat.dev + (mounted.has(path) ? 1 : 0) };
  };
  return { ...recording, host: { ...recording.host, files: { ...files, stat } }, mounted };
}
