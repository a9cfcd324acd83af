/** The user that a job names for its scripts: `image:docker:user`. */

import { refused } from "../../failure.ts";
import type { ImageOptions } from "../../gitlab/image_options.ts";
import type { Host } from "../../host/host.ts";
import { expandVariables } from "./variables.ts";

/**
 * Returns the user that a job names, `USER[:GROUP]`; null where it names none. The machine's passwd(5) decides whether
 * there is such a user.
 *
 * @throws {Failure} where it could be anything else.
 */
export function jobUser(host: Host, { user: written }: ImageOptions): string | null {
  const user = expandVariables(host, written ?? "");
  if (user === "") return null;
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/.test(user)) {
    return user;
  }
  throw refused(
    `Cannot run scripts as user ${
      JSON.stringify(user.slice(0, 50))
    }: it is not of the form USER or USER:GROUP`,
    "Change image:docker:user in the job",
  );
}
