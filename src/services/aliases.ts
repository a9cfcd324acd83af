/** The host names of a job's services, derived as Docker's executor derives them: helpers/container/services/services.go. */

import { refused } from "../failure.ts";

/** The names by which a job and its other services reach a service. */
export interface ServiceAliases {
  /** At least one. No two services of a job have the same, whether in upper case or lower case. */
  readonly aliases: readonly string[];
  /** Lines for the job's log about names that the service does not have. */
  readonly notes: readonly string[];
}

/** A service as its job declares it. */
interface Declared {
  readonly name: string;
  /** Several stand between commas and spaces; empty for none. */
  readonly alias: string;
}

/** A service with the names that it asks for. */
interface Candidate {
  readonly name: string;
  readonly asked: readonly string[];
  readonly aliases: string[];
  readonly notes: string[];
}

/** Who has a name, by the name in lower case. */
type Owners = Map<string, string>;

/** Services reach the job by the first name, and each machine reaches itself by the second. */
const RESERVED = [["build", "the job"], ["localhost", "the machine itself"]] as const;

/**
 * Assigns the aliases of a job's services: those that follow from the image, then the job's own. A name that two services
 * ask for belongs to the first; a service that is left without any gets numbered ones.
 *
 * @throws {Failure} where a service has neither an alias nor an image from whose name one follows.
 */
export function assignAliases(services: readonly Declared[]): ServiceAliases[] {
  const owners: Owners = new Map(RESERVED);
  const candidates = services.map(candidateOf);
  for (const candidate of candidates) assignFree(candidate, owners);
  for (const candidate of candidates) {
    if (candidate.aliases.length === 0) assignNumbered(candidate, owners);
  }
  return candidates.map(({ aliases, notes }) => ({ aliases, notes }));
}

function candidateOf({ name, alias }: Declared): Candidate {
  const all = [...new Set([...aliasesOfImage(name), ...alias.split(/[, ]/)])]
    .filter((one) => one !== "");
  if (all.length > MOST_ALIASES) throw tooManyAliases(name, all.length);
  const asked = all.filter(isHostsName);
  const notes = all.filter((one) => !isHostsName(one)).map((one) =>
    `Service ${shown(name)} is not reached as ${shown(one)}: /etc/hosts can have no such name`
  );
  if (asked.length > 0) return { name, asked, aliases: [], notes };
  throw refused(
    `Cannot start service ${shown(name)}: it has no alias, and none follows from its name`,
    "Name an image, or give the service an alias",
  );
}

/** They have to fit into the hosts file of each machine. */
const MOST_ALIASES = 50;

function tooManyAliases(name: string, count: number): Error {
  return refused(
    `Cannot start service ${
      shown(name)
    }: it has ${count} aliases, and at most ${MOST_ALIASES} are possible`,
    "Remove some from alias: of the service in the job",
  );
}

function assignFree({ name, asked, aliases, notes }: Candidate, owners: Owners): void {
  const taken = asked.filter((alias) => owners.has(keyOf(alias)));
  const free = asked.filter((alias) => !taken.includes(alias));
  if (free.length === 0) return;
  for (const alias of taken) {
    notes.push(
      `Service ${shown(name)} is not reached as ${alias}: that is ${owners.get(keyOf(alias))}`,
    );
  }
  for (const alias of free) owners.set(keyOf(alias), `service ${shown(name)}`);
  aliases.push(...free);
}

/** All numbered aliases of a service have the same number. */
function assignNumbered({ name, asked, aliases, notes }: Candidate, owners: Owners): void {
  const numbered = (number: number) => asked.map((alias) => `${alias}-${number}`);
  let number = 2;
  while (numbered(number).some((alias) => owners.has(keyOf(alias)))) number++;
  aliases.push(...numbered(number));
  for (const alias of aliases) owners.set(keyOf(alias), `service ${shown(name)}`);
  const others = new Set(asked.map((alias) => `${alias} is ${owners.get(keyOf(alias))}`));
  notes.push(
    `Service ${shown(name)} is reached as ${aliases.join(", ")}: ${[...others].join(", ")}`,
  );
}

const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const REGISTRY = `${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\]`;
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const REPOSITORY = `${COMPONENT}(?:\\/${COMPONENT})*`;
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
/** ReferenceRegexp of distribution/reference v0.6.0, which also takes a registry that Docker Hub's paths could have. */
const REFERENCE = new RegExp(
  `^(?:(${REGISTRY})(?::\\d+)?\\/)?(${REPOSITORY})(?::\\w[\\w.-]{0,127})?(?:@${DIGEST})?$`,
);

/** To match a longer text with the pattern could take long. */
const LONGEST_NAME = 1000;

/** Returns the aliases that follow from an image's name without registry's port, tag and digest; none for no such name. */
function aliasesOfImage(name: string): string[] {
  const [, registry, repository] = (name.length > LONGEST_NAME ? null : name.match(REFERENCE)) ??
    [];
  if (repository === undefined) return [];
  const path = registry === undefined ? repository : `${registry}/${repository}`;
  return [path.replaceAll("/", "__"), path.replaceAll("/", "-")];
}

/** Names of hosts(5) are not only those of DNS; its lines have no blanks within a name, and `#` begins a comment. */
function isHostsName(alias: string): boolean {
  return /^[^\s#\p{C}]{1,255}$/u.test(alias);
}

/** Names of hosts do not depend on upper and lower case. */
function keyOf(alias: string): string {
  return alias.toLowerCase();
}

/** Quotes text of a job for a line of the log, at most 100 characters of it. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
