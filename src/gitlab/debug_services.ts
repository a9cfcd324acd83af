/** The variable by which a job asks for the output of its services. */

import type { Host } from "../host/host.ts";

/** Returns whether a job asks for the output of its services in its log. */
export function wantsServiceOutput(host: Pick<Host, "env">): boolean {
  return TRUE.test(host.env("CUSTOM_ENV_CI_DEBUG_SERVICES") ?? "");
}

/** As GetDebugServicePolicy() in common/build_settings.go of GitLab Runner: ParseBool() of Go's strconv. */
const TRUE = /^(?:1|t|T|true|True|TRUE)$/;
