/** Networks of machines. */

import type { Config } from "../../config/settings.ts";

/** The network of a machine: private, the host's, or its loopback only. */
export type Network =
  | { readonly kind: "private"; readonly slot: number }
  | { readonly kind: "host" | "none" };

/** The settings that all private networks of a host share. */
export type NetworkPlan = Pick<Config, "network_range" | "network_deny" | "network_allow">;
