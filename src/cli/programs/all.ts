/** All commands, for each call that is not a stage of a job. */

import "../entry.ts";
