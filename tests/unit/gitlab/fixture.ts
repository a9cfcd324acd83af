/** A job for tests that need any. */

import type { Job } from "../../../src/gitlab/job.ts";

/** A job without image, options and credentials. */
export const JOB: Job = {
  id: "7",
  image: undefined,
  server: "https://git.example",
  url: "https://git.example",
  project: undefined,
  projectPath: undefined,
  ref: "main",
  refKind: undefined,
  isProtected: false,
  timeout: undefined,
  services: [],
  overrides: {},
  movesFiles: false,
  imageOptions: { entrypoint: null, pullPolicies: [], user: null, platform: null },
  credentials: [],
  dockerAuthConfig: undefined,
};
