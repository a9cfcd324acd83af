/** The folder of all files that are lost when the host reboots. */
export const RUNTIME_FOLDER = "/run/nspawn-runner";
