/** Tests in a virtual machine, which they share. */

import { loadFolders } from "./load.ts";

await loadFolders(["vm"]);
