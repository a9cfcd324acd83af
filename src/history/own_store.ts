/** Whose store it is: a history is written by the host that uses the store. */

import type { Host } from "../host/host.ts";
import { refuseOtherHost } from "../machines/record/store_owner.ts";

/** What is in the place of a store whose disk is missing would be taken for the store; another host's has its own history. */
export async function isOwnStore(host: Host, store: string): Promise<boolean> {
  if ((await host.files.list(store)).length === 0) return false;
  return await refuseOtherHost(host, store).then(() => true, () => false);
}
