/** What the host and a machine agree on about the helper root, in which GitLab Runner's own stages run. */

import { INSIDE } from "./channel.ts";

/** Its folder among the files of the machine's channel. */
export const HELPER = "helper";

/** Where a machine sees it. */
export const HELPER_INSIDE = `${INSIDE}/${HELPER}`;

/** Its static busybox, which runs the machine's stage server. */
export const BUSYBOX = "usr/bin/busybox";

/** The host's gitlab-runner, among the files of the machine's channel. */
export const RUNNER = "bin/gitlab-runner";

/** The folder in which the helper root sees it: every tree has this one. */
export const RUNNER_FOLDER = "mnt";

/** The home of its stages, on a file system of its own: each finds it empty. */
export const HELPER_HOME = "root/home";
