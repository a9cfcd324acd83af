/** The environment of a job's service: variables that are no secrets of the job, and the service's own. */

import { refused } from "../failure.ts";
import type { JobService } from "../gitlab/job_services.ts";
import {
  type DeclaredVariables,
  declaredVariables,
  fittingVariables,
  pathOfFile,
  variableValues,
} from "../gitlab/variables.ts";
import type { Host } from "../host/host.ts";
import { expandBy } from "../images/request/variables.ts";

/** The variables of a job by name. */
type Values = ReadonlyMap<string, string>;

/**
 * Returns the environment of a service, `NAME=VALUE`: the variables of its job that are public or GitLab Runner's own, as
 * with Docker's executor, but no password for registries; then its own ones, in which all variables of the job count.
 * Variables that are too long for a process are left out.
 *
 * @throws {Failure} where one of its own could not be a variable.
 */
export async function serviceEnvironment(
  host: Host,
  service: Pick<JobService, "name" | "variables">,
): Promise<string[]> {
  const declared = await declaredVariables(host);
  const values = variableValues(host, declared);
  const own = ownVariables(service, values);
  // Without a response file, nothing says which variables are secrets.
  const others = declared === null ? [] : publicVariables(host, declared, values);
  return fittingVariables(new Map([...own, ...others.filter(([name]) => !own.has(name))]));
}

function ownVariables({ name, variables }: Pick<JobService, "name" | "variables">, values: Values) {
  return new Map(variables.map(({ key, value, isRaw }) => {
    if (NAME.test(key) && !value.includes("\0")) {
      return [key, isRaw ? value : expandBy((variable) => values.get(variable), value)] as const;
    }
    throw refused(
      `Cannot start service ${JSON.stringify(name.slice(0, 100))}: ${
        JSON.stringify(key.slice(0, 50))
      } cannot be one of its variables`,
      "Correct variables: of the service; a name has letters, digits, '_', '.' and '-'",
    );
  }));
}

/** Some programs take settings from variables with dots in their names, as Elasticsearch does. */
const NAME = /^[A-Za-z_][\w.-]*$/;

/** Variables that may be GitLab Runner's own, with passwords for registries, or with the content of its key for TLS. */
const HIDDEN = /^(?:DOCKER_AUTH_CONFIG|CI_SERVER_TLS_.*)$/;

function publicVariables(
  host: Host,
  { variables, secrets }: DeclaredVariables,
  values: Values,
): (readonly [name: string, value: string])[] {
  return [...values].flatMap(([name, value]) => {
    if (HIDDEN.test(name) || secrets.includes(name) || !NAME.test(name)) return [];
    const entries = variables.filter(({ key }) => key === name);
    const last = entries.findLast((entry) => entry.public === true);
    // The value in the environment is that of the last entry, which may be a secret.
    if (last === entries.at(-1)) return [[name, value]];
    return last === undefined ? [] : [[name, valueOf(host, name, last, values)]];
  });
}

function valueOf(
  host: Host,
  name: string,
  { value, file, raw }: DeclaredVariables["variables"][number],
  values: Values,
): string {
  if (file === true) return pathOfFile(host, name);
  return raw === true ? `${value}` : expandBy((variable) => values.get(variable), `${value}`);
}
