/** Reads the pipeline of a working copy. */

import { join } from "@std/path/posix";
import type { Config } from "../../config/settings.ts";
import { hostFailure, refused } from "../../failure.ts";
import { findInstallation, type Installation } from "../../host/installation.ts";
import type { Host } from "../../host/host.ts";
import type { Pipeline } from "../model.ts";
import { readAnswer } from "./answer.ts";
import { expandInMachine, INPUT } from "./machine.ts";
import { PACKAGE_FILE, patchPackage } from "./patches.ts";
import type { ReaderRequest } from "./request.ts";

/** What is read. */
export interface ReadOptions extends ReaderRequest {
  /** The folder of the pipeline, with `sources.tar`: the working copy with its `.git`. */
  readonly folder: string;
  /** Ends the reading when aborted. */
  readonly interrupt: AbortSignal;
}

/**
 * Reads the file of a pipeline, with all that it includes, in a machine of the helper root.
 *
 * @throws {Failure} `refused` for a mistake in the file.
 */
export async function readPipeline(
  host: Host,
  config: Config,
  options: ReadOptions,
): Promise<Pipeline> {
  const { folder, interrupt, ...request } = options;
  if (/^\/|(?:^|\/)\.\.(?:\/|$)/.test(request.file)) {
    throw refused(
      `Cannot read ${request.file}: it is not in the working copy`,
      "Give a path below the root of the working copy",
    );
  }
  const installation = await findInstallation();
  const input = join(folder, "reader");
  await fillInput(host, input, join(folder, "sources.tar"), request, installation);
  const machine = { input, installed: installation.files, fetch: request.fetch, interrupt };
  const text = await expandInMachine(host, config, machine).catch((error) => {
    if (!interrupt.aborted) throw error;
    throw hostFailure(`Cannot read ${request.file}: interrupted`, undefined, error);
  });
  return readAnswer(request.file, text);
}

/** Root of the machine is another user of the host. On the host, root alone can enter the folder above the input. */
async function fillInput(
  host: Host,
  input: string,
  sources: string,
  request: ReaderRequest,
  installation: Installation,
): Promise<void> {
  const { files } = host;
  await files.makeDirectory(input, 0o755);
  await files.write(join(input, INPUT.program), await readPackage(host, installation), 0o644);
  await files.write(join(input, INPUT.request), JSON.stringify(request), 0o644);
  await files.chmod(sources, 0o644);
  await files.link(sources, join(input, INPUT.sources));
}

async function readPackage(host: Host, { folder }: Installation): Promise<string> {
  const path = join(folder, PACKAGE_FILE);
  const bytes = await host.files.readBytes(path);
  if (bytes === null) {
    throw hostFailure(
      `Cannot read the pipeline: this installation has no ${path}`,
      "Install nspawn-runner again, on a network that reaches npm",
    );
  }
  return await patchPackage(bytes);
}
