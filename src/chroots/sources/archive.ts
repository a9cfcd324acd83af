/** A source: a suite of a Debian or Ubuntu archive. */

import type { Host } from "../../host/host.ts";
import type { Recipe } from "../definition/recipe.ts";
import { bootstrapTree } from "./bootstrap.ts";
import type { Source } from "./source.ts";
import { chooseTool, requireKeyring, requireKnownMirror, type Suite } from "./suite.ts";

/**
 * Returns a suite as a source, built by mmdebstrap or debootstrap.
 *
 * @throws {Failure} where the tool, or the archive's keys, are missing.
 */
export async function archiveSource(
  host: Host,
  suite: Suite,
  { settings, build }: Recipe,
): Promise<Source> {
  const { mirror } = settings;
  const { components = [], packages = [], keyring } = build;
  const tool = await chooseTool(host, settings.tool);
  if (mirror === undefined && keyring === undefined) await requireKeyring(host, suite.name);
  if (mirror === undefined && tool === "mmdebstrap") await requireKnownMirror(host, suite.name);
  const bootstrap = { suite: suite.name, tool, mirror, components, packages, keyring };
  return {
    origin: suite.name,
    how: `with ${tool} from ${suite.name}, ${suite.because}`,
    pin: null,
    stranger: null,
    isImmutable: false,
    installsPackages: true,
    async fill(host, paths, interrupt) {
      await host.files.chmod(paths.build, 0o755); // apt downloads as the user _apt
      await bootstrapTree(host, bootstrap, paths, interrupt);
      return null;
    },
  };
}
