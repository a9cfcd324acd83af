/** What a machine sees of the network. */

import type { Config } from "../../config/settings.ts";

/** What a machine has: one of its own, the host's, or a loopback alone. */
export type Network =
  | { readonly kind: "private"; readonly slot: number }
  | { readonly kind: "host" | "none" };

/** What all private networks of a host have in common. */
export type NetworkPlan = Pick<Config, "network_range" | "network_deny" | "network_allow">;
