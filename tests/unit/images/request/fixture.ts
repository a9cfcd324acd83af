/** A job that asks for an image of a registry, and a host that has no credentials of its own. */

import type { Job } from "../../../../src/gitlab/job.ts";

/** A job without image, options and credentials. */
export const JOB: Job = {
  id: "7",
  image: undefined,
  server: "https://git.example",
  url: "https://git.example",
  project: undefined,
  ref: "main",
  isProtected: false,
  timeout: undefined,
  services: [],
  overrides: {},
  movesFiles: false,
  imageOptions: { entrypoint: null, pullPolicies: [], user: null, platform: null },
  credentials: [],
  dockerAuthConfig: undefined,
};

/** Variables by which all files of root with credentials are in a folder. */
export function homeIn(folder: string): Record<string, string> {
  return { HOME: folder, XDG_RUNTIME_DIR: `${folder}/run` };
}
