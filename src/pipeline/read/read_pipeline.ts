/** Reads the pipeline of a working copy. */

import { join } from "@std/path/posix";
import type { Config } from "../../config/settings.ts";
import { hostFailure, refused } from "../../failure.ts";
import { findInstallation, type Installation } from "../../host/installation.ts";
import type { Host } from "../../host/host.ts";
import type { Pipeline } from "../model.ts";
import { readAnswer } from "./answer.ts";
import { expandInMachine } from "./machine.ts";
import { PACKAGE_FILE, patchPackage } from "./patches.ts";
import type { ReaderRequest } from "./request.ts";

/** What is read. */
export interface ReadOptions extends ReaderRequest {
  /** A folder of root alone with `sources.tar`, the working copy with its `.git`. */
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
  const files = {
    installed: installation.files,
    sources: join(folder, "sources.tar"),
    program: join(folder, "reader.mjs"),
    request: join(folder, "request.json"),
  };
  await host.files.write(files.program, await readPackage(host, installation), 0o644);
  await host.files.write(files.request, JSON.stringify(request), 0o644);
  // Root of the machine is another user of the host. Only root can enter the folder on the host.
  await host.files.chmod(files.sources, 0o644);
  const { fetch } = request;
  const text = await expandInMachine(host, config, files, { fetch, interrupt });
  if (interrupt.aborted) throw hostFailure(`Cannot read ${request.file}: interrupted`);
  return readAnswer(request.file, text);
}

async function readPackage(host: Host, { folder }: Installation): Promise<string> {
  const path = join(folder, PACKAGE_FILE);
  const bytes = await host.files.readBytes(path);
  if (bytes === null) {
    throw hostFailure(
      `Cannot read the pipeline: this installation has no ${path}`,
      "Install nspawn-runner by install.sh or a package",
    );
  }
  return await patchPackage(bytes);
}
