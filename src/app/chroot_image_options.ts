/** What a job asks for with its image, where that is a chroot. */

import type { MachineSettings } from "../config/settings.ts";
import type { ImageOptions } from "../gitlab/image_options.ts";
import type { Host } from "../host/host.ts";
import { jobUser } from "../images/request/job_user.ts";

/**
 * Returns the settings of a chroot's machine with the user that the job names, unless the administrator named one. Logs
 * what has no effect.
 *
 * @param name The chroot.
 * @throws {Failure} where what the job names is no user.
 */
export function applyImageOptions(
  host: Host,
  settings: MachineSettings,
  options: ImageOptions,
  name: string,
): MachineSettings {
  const { entrypoint, pullPolicies, platform } = options;
  const ignored = [
    ...(entrypoint === null ? [] : ["image:entrypoint"]),
    ...(pullPolicies.length === 0 ? [] : ["image:pull_policy"]),
    ...(platform === null ? [] : ["image:docker:platform"]),
  ];
  if (ignored.length > 0) {
    host.log.info(`Without effect: ${ignored.join(", ")}, since ${name} is a chroot`);
  }
  const user = jobUser(host, options);
  if (user === null || settings.user === undefined) {
    return user === null ? settings : { ...settings, user };
  }
  host.log.info(
    `Without effect: image:docker:user, since this host runs scripts as ${settings.user}`,
  );
  return settings;
}
