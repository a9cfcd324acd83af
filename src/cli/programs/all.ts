/** The program of all commands, for calls that are none of a job. */

import "../entry.ts";
