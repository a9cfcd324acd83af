/** Stores whose machines start from images of a registry. */

import type { JobPlan } from "../conformance/job.ts";
import { planOf } from "../conformance/stages.ts";
import type { HostKind } from "../hosts/host.ts";
import { type ImageSpec, pushImage } from "../hosts/images.ts";
import {
  allowPlainHttp,
  missingRegistryProgram,
  type Registry,
  REGISTRY_LOGIN,
  withRegistry,
} from "../hosts/registry.ts";
import { smallRoot } from "../hosts/roots.ts";
import { onEachHost } from "../hosts/shared.ts";
import type { Settings, Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { linkHelper } from "./helper_root.ts";
import { withoutMaps } from "./shifted.ts";
import { withStore } from "./store.ts";

/** A store whose machines start from images of a registry. */
type Body = (own: Site, registry: Registry) => Promise<void>;

/**
 * Registers a test on each kind of host with images of a registry, each of which is pulled once.
 *
 * @param isMapped Whether mount(8) can map owners on the host.
 * @param kinds The kinds of host whose machines can differ.
 */
export function withImages(
  name: string,
  settings: Settings,
  body: Body,
  isMapped = true,
  kinds?: readonly HostKind[],
): void {
  onEachHost(name, async (site) => {
    const missing = await missingRegistryProgram();
    if (missing !== null) return skipReal(name, missing);
    await withRegistry(async (registry) => {
      await allowPlainHttp(site.host, registry);
      const auth = await site.put(await Deno.readTextFile(registry.auth));
      const env = { REGISTRY_AUTH_FILE: auth };
      await (isMapped ? withStore : withoutMaps)(
        site,
        { pull: [`${registry.address}/**`], pull_policy: ["if-not-present"], ...settings },
        async (own) => {
          await linkHelper(own);
          await body(withEnv(own, env), registry);
        },
      );
    });
  }, kinds);
}

/** Returns a site whose program has further variables. */
function withEnv(site: Site, env: Readonly<Record<string, string>>): Site {
  return {
    ...site,
    call: (words, options) => site.call(words, { ...options, env: { ...env, ...options?.env } }),
    with: async (settings) => withEnv(await site.with(settings), env),
    onBtrfs: async () => {
      const other = await site.onBtrfs();
      return other === null ? null : withEnv(other, env);
    },
  };
}

/** Pushes an image, and returns the name by which jobs know it. */
export async function imageIn(registry: Registry, name: string, image: ImageSpec): Promise<string> {
  await pushImage(registry, name, image);
  return `${registry.address}/${name}`;
}

/** Returns a job with an image of a registry, for which GitLab sends the password. */
export function planOfPulled(image: string): JobPlan {
  const [registry = ""] = image.split("/");
  return { ...planOf(image), credentials: { [registry]: REGISTRY_LOGIN } };
}

/** A layer with a small Debian. */
export const debian = async () => `cp --archive '${await smallRoot()}/.' .`;
