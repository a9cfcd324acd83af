/** The host as programs see it that use the library. */

import type { Host } from "../host/host.ts";
import { readPieces } from "../host/pipe.ts";

/** A host that also reads the output of scripts in pieces. */
export interface LibraryHost extends Host {
  readonly readPieces: typeof readPieces;
}

/** Variables that only a job of GitLab Runner, or a call of this program, may have: the caller may run in a job itself. */
const OF_JOBS =
  /^(?:CUSTOM_ENV_.*|JOB_RESPONSE_FILE|BUILD_EXIT_CODE_FILE|NSPAWN_RUNNER_(?!CONFIG$).*)$/;

/**
 * Returns the host for machines of the library: nothing is written to the terminal, no variable of a job counts, and waits do
 * not block the caller.
 *
 * @param onMessage Called with each message.
 */
export function hostForLibrary(host: Host, onMessage: (message: string) => void): LibraryHost {
  const silent = () => {};
  return {
    ...host,
    readPieces,
    env: (name) => OF_JOBS.test(name) ? undefined : host.env(name),
    environment: () =>
      Object.fromEntries(
        Object.entries(host.environment()).filter(([name]) => !OF_JOBS.test(name)),
      ),
    clock: { ...host.clock, nap: host.clock.sleep },
    log: { verbosity: "normal", info: onMessage, warn: onMessage, step: silent, debug: silent },
  };
}
