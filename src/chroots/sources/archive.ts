import type { Host } from "../../host/host.ts";
import { fillTree } from "./bootstrap.ts";
import type { Recipe } from "../definition/recipe.ts";
import { chooseTool, refuseUnplaced, refuseUnproved, type Suite } from "./suite.ts";
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
  { settings, making }: Recipe,
): Promise<Source> {
  const { mirror } = settings;
  const { components = [], packages = [], keyring } = making;
  const tool = await chooseTool(host, settings.tool);
  if (mirror === undefined && keyring === undefined) await refuseUnproved(host, suite.name);
  if (mirror === undefined && tool === "mmdebstrap") await refuseUnplaced(host, suite.name);
  const bootstrap = { suite: suite.name, tool, mirror, components, packages, keyring };
  return {
    origin: suite.name,
    how: `with ${tool} from ${suite.name}, ${suite.because}`,
    pin: null,
    isFixed: false,
    bringsPackages: true,
    async fill(host, places, interrupt) {
      await host.files.chmod(places.making, 0o755); // apt fetches as a user of its own
      await fillTree(host, bootstrap, places, interrupt);
      return null;
    },
  };
}
