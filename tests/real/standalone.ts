/** Tests on the shared host without systemd. */

import { loadTests } from "./load.ts";

await loadTests("standalone", ["conformance", "escape", "integration"]);
