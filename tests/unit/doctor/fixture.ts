/** Runs one check of the doctor on a host of the test's own. */

import { loadConfig } from "../../../src/config/load.ts";
import { listChroots } from "../../../src/chroots/find/list.ts";
import type { Check, Finding } from "../../../src/doctor/finding.ts";
import type { Host } from "../../../src/host/host.ts";
import { type Answer, inFolder, PROGRAM_FILE, recordingHost } from "../recording_host.ts";

/** A host, as a test describes it. */
export interface Scene {
  /** Files outside the test's folder, with their content. */
  readonly files?: Readonly<Record<string, string>>;
  readonly answer?: (argv: readonly string[]) => Answer | void;
}

/**
 * Runs a check.
 *
 * @param check The check.
 * @param scene The host.
 * @param prepare Fills the test's folder: `store`, `defs` for definitions, and `config.toml`.
 * @returns All findings.
 */
export async function find(
  check: Check,
  scene: Scene,
  prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<Finding[]> {
  let found: Finding[] = [];
  await inFolder(async (folder) => {
    const config = `${folder}/config.toml`;
    await Deno.writeTextFile(config, `store = "${folder}/store"\ndefinitions = "${folder}/defs"\n`);
    await prepare(folder);
    const recording = recordingHost(scene.answer === undefined ? {} : { answer: scene.answer });
    const settings = await loadConfig(recording.host, config);
    const host = withFiles(recording.host, folder, scene.files ?? {});
    found = [await check(host, settings, await listChroots(host, settings))].flat();
  });
  return found;
}

/** Shows a host no files but those of the test's folder and those given. */
function withFiles(host: Host, folder: string, files: Readonly<Record<string, string>>): Host {
  const look = (real: typeof host.files.stat) => (path: string) =>
    path in files
      ? Promise.resolve(PROGRAM_FILE)
      : path.startsWith(folder)
      ? real(path)
      : Promise.resolve(null);
  return {
    ...host,
    env: (name) => name === "PATH" ? "/usr/bin" : undefined,
    files: {
      ...host.files,
      stat: look(host.files.stat),
      lstat: look(host.files.lstat),
      real: (path) => path in files ? Promise.resolve(path) : host.files.real(path),
      read: (path) =>
        path in files
          ? Promise.resolve(files[path]!)
          : path.startsWith(folder)
          ? host.files.read(path)
          : Promise.resolve(null),
      // Answers that are kept until a reboot are not kept.
      makeDirectory: (path) =>
        path.startsWith(folder) ? host.files.makeDirectory(path) : Promise.resolve(),
      replace: () => Promise.resolve(),
      lock: (path) => host.files.lock(path.startsWith(folder) ? path : `${folder}/lock`),
    },
  };
}

/** Returns the state of a finding, and whether there is a fix. */
export const state = ({ state, fix }: Finding) => [state, fix !== null];

/** Lets jobs of a test's host pull images. */
export async function allowImages(folder: string, more = ""): Promise<void> {
  const path = `${folder}/config.toml`;
  await Deno.writeTextFile(path, `pull = ["**"]\n${more}${await Deno.readTextFile(path)}`);
}
