/** Tests on the shared host with systemd, and those that bring hosts of their own. */

import { loadTests } from "./load.ts";

await loadTests("systemd", ["conformance", "escape", "integration", "installation"]);
