/** What the stages of a job leave on this host. */

import { join } from "@std/path/posix";
import { archiveName, type Archiver } from "./archives.ts";

/** The files of this host to which stages print. */
export interface ResultFiles {
  readonly artifacts: string;
  readonly reports: string;
  readonly dotenv: string;
  /** A folder, with a file for each cache. */
  readonly caches: string;
}

/** Returns the files to which the stages of a job print. */
export function resultFiles(folder: string, archiver: Archiver): ResultFiles {
  return {
    artifacts: join(folder, archiveName("artifacts", archiver)),
    reports: join(folder, archiveName("reports", archiver)),
    dotenv: join(folder, "dotenv"),
    caches: join(folder, "caches"),
  };
}
