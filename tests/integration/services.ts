/** Stores whose jobs have services, from a registry that stands in for Docker Hub. */

import type { JobPlan, ServicePlan } from "../conformance/job.ts";
import { planOf } from "../conformance/stages.ts";
import type { HostKind } from "../hosts/host.ts";
import {
  allowPlainHttp,
  asDockerHub,
  missingRegistryProgram,
  type Registry,
  withRegistry,
} from "../hosts/registry.ts";
import { pushService, type ServiceImage } from "../hosts/services.ts";
import { onEachHost } from "../hosts/shared.ts";
import type { Settings, Site } from "../hosts/site.ts";
import { skipReal } from "../skip.ts";
import { linkHelper } from "./helper_root.ts";
import { withStore } from "./store.ts";

/** A store whose jobs have services. */
type Body = (own: Site, registry: Registry) => Promise<void>;

/** Registers a test on each kind of host; jobs name the images as if they came from Docker Hub. */
export function withServices(
  name: string,
  images: readonly ServiceImage[],
  settings: Settings,
  body: Body,
  kinds?: readonly HostKind[],
): void {
  onEachHost(name, async (site) => {
    const missing = await missingRegistryProgram();
    if (missing !== null) return skipReal(name, missing);
    await withRegistry(async (registry) => {
      for (const image of images) await pushService(registry, image);
      await allowPlainHttp(site.host, registry);
      const pull = ["docker.io/library/*", `${registry.address}/**`];
      const all = { pull, pull_policy: ["if-not-present"], ...settings };
      await asDockerHub(site.host, registry, () =>
        withStore(site, all, async (own) => {
          await linkHelper(own);
          await body(own, registry);
        }));
    }, true);
  }, kinds);
}

/** Returns a job with services, on an image of busybox. */
export function planWith(services: readonly ServicePlan[], more: Partial<JobPlan> = {}): JobPlan {
  return { ...planOf("box:1"), services, ...more };
}

/** A function of sh for the box: runs a script in a service of the image web, which its first argument names. */
export const IN_SERVICE =
  `in_service() { wget -q -O - --post-data "$2" "http://$1/cgi-bin/run"; }\n`;
