/** Docker's credential helpers: programs docker-credential-NAME, which keep credentials elsewhere than in a file. */

import type { Host } from "../../host/host.ts";
import { toolEnvironment } from "../../linux/tool.ts";
import type { AuthEntry } from "./auth_config.ts";

/** Milliseconds that a helper may take: it may ask a server. */
const LONGEST_WAIT = 30_000;

/**
 * Asks a helper for the credentials of a scope. A helper that fails is one warning without its output, which may
 * contain secrets.
 *
 * @param name NAME of `docker-credential-NAME`, from a file of root.
 * @param file The file, for the warning.
 * @returns Null where it has none.
 */
export async function askHelper(
  host: Host,
  name: string,
  scope: string,
  file: string,
): Promise<AuthEntry | null> {
  const answer = /^[A-Za-z0-9][\w.-]*$/.test(name) ? await outputOf(host, name, scope) : null;
  if (answer === NOTHING) return null;
  const entry = answer === null ? null : entryIn(answer);
  if (entry === null) host.log.warn(`Cannot use credential helper ${name} of ${file}: it failed`);
  return entry;
}

/** What a helper prints for a server that it does not know, with exit code 1: docker-credential-helpers. */
const NOTHING = "credentials not found in native keychain";

/** Docker keeps the credentials of its own registry under this name. */
const DOCKER = "https://index.docker.io/v1/";

async function outputOf(host: Host, name: string, scope: string): Promise<string | null> {
  const given = Object.entries(host.environment()).filter(([key]) =>
    !key.startsWith("CUSTOM_ENV_")
  );
  try {
    const { code, stdout } = await host.processes.capture([`docker-credential-${name}`, "get"], {
      env: toolEnvironment(host, Object.fromEntries(given)),
      stdin: scope === "docker.io" ? DOCKER : scope,
      signal: AbortSignal.timeout(LONGEST_WAIT),
    });
    const text = stdout.trim();
    return code === 0 || text === NOTHING ? text : null;
  } catch {
    return null; // not installed
  }
}

/** A helper answers `<token>` as the user of an identity token. */
function entryIn(text: string): AuthEntry | null {
  try {
    const { Username, Secret } = JSON.parse(text);
    if (typeof Username !== "string" || typeof Secret !== "string") return null;
    return Username === "<token>"
      ? { username: "", password: "", identityToken: Secret }
      : { username: Username, password: Secret, identityToken: null };
  } catch {
    return null;
  }
}
