/** Names of machines, valid for systemd-machined. */

import { usageError } from "../../failure.ts";

declare const checked: unique symbol;

/** A valid machine name, safe as one component of a path and as part of a unit's name. */
export type MachineName = string & { readonly [checked]: "MachineName" };

/** hostname_is_valid() of systemd: labels of letters, digits and inner hyphens, 64 characters. */
const MACHINE_NAME =
  /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/**
 * Returns the name of a job's machine: `run-<id>` by hand, `run-<id>-<server>` under GitLab, since ids are unique on
 * one server only.
 *
 * @param server A hash of the server's identity: eight digits of it keep the name short.
 * @throws {Failure} of usage where the id makes no valid name.
 */
export function machineName(id: string, server: string | undefined): MachineName {
  const name = server === undefined ? `run-${id}` : `run-${id}-${server.slice(0, 8)}`;
  if (isMachineName(name)) return name;
  throw usageError(
    `Cannot use ${JSON.stringify(id)} as a job id: it makes no valid machine name`,
    "Use at most 60 letters, digits, '-' and '.'; the first and the last are letters or digits",
  );
}

/**
 * Returns the name of the machine of a job's service.
 *
 * @param job The job's machine.
 * @param number From 1, in the order of the job's services.
 * @throws {Failure} of usage where the job's id is too long.
 */
export function serviceName(job: MachineName, number: number): MachineName {
  const name = `service-${idOf(job)}-${number}`;
  // Its held name would be cut, as would be those of the job's other services: all had the same.
  if (isMachineName(name) && isMachineName(`${HELD_PREFIX}${name}`)) return name;
  throw usageError(
    `Cannot start a service of machine ${job}: the job's id is too long`,
    "Use an id of at most 48 characters",
  );
}

const HELD_PREFIX = "held-";

/** Returns the name under which the writes of an ended machine are kept; no running machine has such a name. */
export function heldName(machine: MachineName): MachineName {
  return `${HELD_PREFIX}${idOf(machine)}`.slice(0, 64).replace(/[-.]+$/, "") as MachineName;
}

/** Returns the id that `--id` takes. For a machine of GitLab it differs from the job's id by the server's hash. */
export function idOf(machine: MachineName): string {
  return machine.replace(/^(?:run|held)-/, "");
}

/** Returns whether a text is a valid machine name. */
export function isMachineName(text: string): text is MachineName {
  return text.length <= 64 && MACHINE_NAME.test(text);
}
