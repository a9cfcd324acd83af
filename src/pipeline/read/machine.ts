/** The machine in which the file is expanded: a plain one of the helper root, without network. */

import { ensureHelperRoot } from "../../app/helper_root.ts";
import { settingsFor } from "../../config/load.ts";
import type { Config } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { hostForLibrary } from "../../library/host.ts";
import { startMachineOn } from "../../library/start_machine.ts";
import type { Bind } from "../../machines/record/caches.ts";
import { INPUT_INSIDE } from "../../machines/start/input.ts";
import { quoteAll } from "../../text/quote.ts";

/** What the machine gets. */
export interface ReaderMachine {
  /** A folder with {@linkcode INPUT}, which it sees. */
  readonly input: string;
  /** The files of this program, which it sees at the same paths. */
  readonly installed: readonly string[];
  /** Whether it has the network of jobs. */
  readonly fetch: boolean;
  readonly interrupt: AbortSignal;
}

/** The names of the files in the input. */
export const INPUT = {
  sources: "sources.tar",
  program: "reader.mjs",
  request: "request.json",
} as const;

/** Seconds after which the machine is ended in any case. */
const LIFETIME = 600;

/**
 * Expands the file, and returns the answer as JSON.
 *
 * @throws {Failure} `host` where the machine does not start, or its program fails.
 */
export async function expandInMachine(
  host: Host,
  config: Config,
  { input, installed, fetch, interrupt }: ReaderMachine,
): Promise<string> {
  const helper = await (await ensureHelperRoot(host, config, null))();
  const { network } = settingsFor(config);
  const own = hostForLibrary(host, (message) => host.log.step(message));
  await using machine = await startMachineOn(own, config, {
    image: config.helper,
    boot: false,
    user: "root",
    network: !fetch ? "none" : network === "none" ? "auto" : network,
    lifetime: LIFETIME,
    signal: interrupt,
  }, { input, binds: [...installed.map(shown), ...(fetch ? helper.binds : [])] });
  const { code, stdout, stderr, reasons } = await machine.run(scriptOf(await host.self()));
  if (code === 0) return stdout;
  throw hostFailure(
    `Cannot read the pipeline: the program in machine ${machine.name} ended with ${code}`,
    reasons[0] ?? "See its messages: nspawn-runner --debug pipeline --list",
    new Error(stderr),
  );
}

/** Everybody may read the program, so that its files need no owner in the machine. */
function shown(path: string): Bind {
  return { from: path, to: path, readOnly: true, keepsDiskOwners: false };
}

/** Prints the answer of the command in its arguments, which prints messages of its own. */
export const EXPAND_SCRIPT = `umask 077
mkdir /tmp/sources
cd /tmp/sources || exit
tar --no-same-owner -xf "${INPUT_INSIDE}/${INPUT.sources}" || exit
"$@" >/tmp/messages 2>&1 || {
  code=$?
  tail -c 4000 /tmp/messages >&2
  exit "$code"
}
cat /tmp/answer
`;

function scriptOf(argv: Argv): string {
  const inputs = [INPUT.program, INPUT.request].map((name) => `${INPUT_INSIDE}/${name}`);
  const words = [...argv, "pipeline-expand", ...inputs, "/tmp/answer"];
  return `set -- ${quoteAll(words)}\n${EXPAND_SCRIPT}`;
}
