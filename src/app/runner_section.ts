/** What GitLab Runner's configuration gets for a runner with this executor: for toml and register. */

import { listChroots } from "../chroots/find/list.ts";
import type { Config } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { RunnerSection } from "../gitlab/runner_toml.ts";
import type { Host } from "../host/host.ts";
import type { Context, Invocation } from "./command.ts";

/**
 * Returns the section by a call's options. Warns where jobs without `image:` would fail.
 *
 * @throws {Failure} where the program is not installed, the token file holds no token, or the configuration is wrong.
 */
export async function runnerSection(
  { options }: Invocation,
  { host, config: load }: Context,
): Promise<RunnerSection> {
  const [executable, ...interpreted] = await host.self();
  if (interpreted.length > 0) {
    throw refused(
      "Cannot configure a runner: the program is not installed",
      "Install it: sudo ./install.sh",
    );
  }
  // Users other than root may not read the configuration.
  const config = host.uid() === 0 ? await load() : await load().catch(() => null);
  const defaultImage = options["default-image"] ?? await onlyChroot(host, config);
  if (defaultImage === undefined && config !== null && config.default_image === undefined) {
    host.log.warn(
      "Jobs without image: will fail, since no default is named: give one by --default-image " +
        "bookworm, or set default_image in the configuration",
    );
  }
  return {
    executable,
    name: "nspawn-runner",
    url: options["url"],
    defaultImage,
    token: await readToken(host, options["token-file"]),
  };
}

/** Returns the only chroot there is; undefined where there are several, or the configuration names a default. */
async function onlyChroot(host: Host, config: Config | null): Promise<string | undefined> {
  if (config === null || config.default_image !== undefined) return undefined;
  const ready = (await listChroots(host, config))
    .filter(({ name, state }) => state === "ready" && name !== config.helper);
  return ready.length === 1 ? ready[0]!.name : undefined;
}

/** Reads a token from a file: every user of the host can see arguments. */
async function readToken(host: Host, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = (await host.files.read(path))?.trim();
  if (text === undefined) {
    throw refused(
      `Cannot read token file ${path}: no such file`,
      "Write the runner's token into it",
    );
  }
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw refused(
      `Cannot use token file ${path}: it does not hold exactly one token`,
      "Write only the token into it",
    );
  }
  return text;
}
