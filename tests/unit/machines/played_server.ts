/** A host on which the server of a machine's stages is played by a test: no script has any output. */

import type { Host } from "../../../src/host/host.ts";
import type { MachinePaths } from "../../../src/machines/record/paths.ts";

/**
 * Returns such a host.
 *
 * @param report Returns what the server reports about a stage, by its nonce and the request.
 */
export function withPlayedServer(
  host: Host,
  paths: MachinePaths,
  report: (nonce: string, request: string) => string | Promise<string>,
): Host {
  const call = async (line: string) => {
    const request = await host.files.read(`${paths.stage}/request`) ?? "";
    const text = await report(line.trim(), request);
    await Deno.writeTextFile(paths.result, text, { append: true });
  };
  return {
    ...host,
    files: { ...host.files, openPipe: () => Promise.resolve({ write: call, close() {} }) },
    terminal: { ...host.terminal, relay: () => Promise.resolve() },
  };
}
