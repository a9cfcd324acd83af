/** What lives no longer than the host is up. */
export const RUNTIME = "/run/nspawn-runner";
