/** Names of machines, as machined takes them. */

import { usageError } from "../../failure.ts";

declare const checked: unique symbol;

/** A valid machine name, safe as one component of a path and as part of a unit's name. */
export type MachineName = string & { readonly [checked]: "MachineName" };

/** hostname_is_valid() of systemd: labels of letters, digits and inner hyphens, 64 characters. */
const SHAPE =
  /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/**
 * The machine of a job: `run-<id>` by hand, `run-<id>-<server>` under GitLab, since ids are unique
 * for one server alone.
 *
 * @param id The job's id.
 * @param server A short hash of the server's identity, where there is one.
 * @returns The checked name.
 * @throws {Failure} of usage where the id makes no valid name.
 */
export function machineName(id: string, server: string | undefined): MachineName {
  const name = server === undefined ? `run-${id}` : `run-${id}-${server}`;
  if (isMachineName(name)) return name;
  throw usageError(
    `Cannot use ${JSON.stringify(id)} as a job id: it makes no valid machine name`,
    "An id has letters, digits, '-' and '.', and begins and ends with a letter or digit; 60 characters at most",
  );
}

/**
 * The name under which a machine's writes are kept when it has ended.
 *
 * @param machine Its name.
 * @returns A name that no running machine has.
 */
export function heldName(machine: MachineName): MachineName {
  return `held-${idOf(machine)}`.slice(0, 64) as MachineName;
}

/**
 * The id by which a machine is called by hand. It is not the job's where that came from GitLab.
 *
 * @param machine Its name.
 * @returns What `--id` takes.
 */
export function idOf(machine: MachineName): string {
  return machine.replace(/^(?:run|held)-/, "");
}

/**
 * Whether a text is a machine's name.
 *
 * @param text Any text.
 * @returns True for a valid name.
 */
export function isMachineName(text: string): text is MachineName {
  return text.length <= 64 && SHAPE.test(text);
}
