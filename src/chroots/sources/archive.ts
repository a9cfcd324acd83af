import type { Host } from "../../host/host.ts";
import { bootstrapTree } from "./bootstrap.ts";
import type { Recipe } from "../definition/recipe.ts";
import { chooseTool, requireKeyring, requireKnownMirror, type Suite } from "./suite.ts";
import type { Source } from "./source.ts";

/**
 * A suite of an archive of Debian's kind, by mmdebstrap or debootstrap.
 *
 * @param host The outside.
 * @param suite Which, and why.
 * @param recipe What its definition says.
 * @returns The source.
 * @throws {Failure} where the tool, or the keys that prove the archive, are missing.
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
    isFixed: false,
    bringsPackages: true,
    async fill(host, places, interrupt) {
      await host.files.chmod(places.build, 0o755); // apt fetches as a user of its own
      await bootstrapTree(host, bootstrap, places, interrupt);
      return null;
    },
  };
}
