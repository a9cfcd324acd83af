/** The machine in which the file is expanded: a plain one of the helper root, without network. */

import { currentTree } from "../../chroots/find/lookup.ts";
import { ensureHelperRoot } from "../../app/helper_root.ts";
import { baseTree, ownJob, planOf } from "../../app/machine_plan.ts";
import { withTrialMachine } from "../../app/trial_machine.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { settingsFor } from "../../config/load.ts";
import type { Config } from "../../config/settings.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { Bind } from "../../machines/record/caches.ts";
import { machineName } from "../../machines/record/name.ts";
import type { MachinePlan } from "../../machines/record/plan.ts";
import { quoteAll } from "../../text/quote.ts";

/** Files of the host that the machine sees read-only. */
export interface ReaderFiles {
  /** The tar archive of the working copy. */
  readonly sources: string;
  /** The changed package. */
  readonly program: string;
  /** The request, as JSON. */
  readonly request: string;
  /** The files of this program, which the machine sees at the same paths. */
  readonly installed: readonly string[];
}

/** Where the machine sees them. */
const INSIDE = {
  sources: "/run/pipeline/sources.tar",
  program: "/run/pipeline/reader.mjs",
  request: "/run/pipeline/request.json",
} as const;

/** Seconds after which the machine may be ended in any case. */
const LIFETIME = 900;

/** Expands the file, and returns what the machine printed: the answer as JSON, or messages of a failure. */
export async function expandInMachine(
  host: Host,
  config: Config,
  files: ReaderFiles,
  options: { readonly fetch: boolean; readonly interrupt: AbortSignal },
): Promise<string> {
  const { plan, argv } = await planReader(host, config, files, options.fetch);
  return await withTrialMachine(
    host,
    plan,
    options.interrupt,
    (machine) => machine.capture(scriptOf(argv)),
  );
}

async function planReader(
  host: Host,
  config: Config,
  files: ReaderFiles,
  fetch: boolean,
): Promise<{ readonly plan: MachinePlan; readonly argv: Argv }> {
  const name = config.helper as ChrootName;
  const helper = await (await ensureHelperRoot(host, config, null))();
  const defined = settingsFor(config);
  const online = defined.network === "none" ? "auto" : defined.network;
  const settings = {
    ...defined,
    boot: false,
    user: "root",
    network: fetch ? online : "none",
  } as const;
  const id = `reader-${host.pid()}`;
  const plan = planOf(config, {
    name: machineName(id, undefined),
    tree: async () => baseTree(name, await currentTree(host, config.store, name), settings),
    settings,
    job: ownJob(host, id, LIFETIME),
    binds: [
      ...files.installed.map((path) => bind(path, path)),
      bind(files.sources, INSIDE.sources),
      bind(files.program, INSIDE.program),
      bind(files.request, INSIDE.request),
      ...(fetch ? helper.binds : []),
    ],
  });
  return { plan, argv: await host.self() };
}

function bind(from: string, to: string): Bind {
  return { from, to, readOnly: true, keepsDiskOwners: false };
}

/** Prints the answer of the command in its arguments, which prints messages of its own; or these where it fails. */
export const EXPAND_SCRIPT = `umask 077
mkdir /tmp/sources
cd /tmp/sources || exit
tar --no-same-owner -xf ${INSIDE.sources} 2>&1 || exit
if "$@" >/tmp/messages 2>&1; then
  cat /tmp/answer
else
  tail -c 4000 /tmp/messages
fi
`;

function scriptOf(argv: Argv): string {
  const words = [...argv, "pipeline-expand", INSIDE.program, INSIDE.request, "/tmp/answer"];
  return `set -- ${quoteAll(words)}\n${EXPAND_SCRIPT}`;
}
