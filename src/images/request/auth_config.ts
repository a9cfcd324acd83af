/** The JSON in which Docker, podman and skopeo keep credentials: containers-auth.json(5). */

import { scopeOfKey } from "./registry_scope.ts";

/** The credentials for one scope. */
export interface AuthEntry {
  readonly username: string;
  readonly password: string;
  readonly identityToken: string | null;
}

/** What one source has. */
export interface AuthSource {
  /** For messages. */
  readonly name: string;
  /** By scope. */
  readonly entries: ReadonlyMap<string, AuthEntry>;
  /** The helpers of single scopes. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper of all registries; null for none. */
  readonly store: string | null;
}

type Json = Readonly<Record<string, unknown>>;

/** Returns what a text has; null where it is no such JSON. An entry without credentials is left out. */
export function parseAuthConfig(text: string, name: string): AuthSource | null {
  const json = objectOf(text);
  if (json === null) return null;
  const { auths = {}, credHelpers = {}, credsStore } = json;
  if (!isObject(auths) || !isObject(credHelpers)) return null;
  return {
    name,
    entries: byScope(auths, entryOf),
    helpers: byScope(credHelpers, textOf),
    store: textOf(credsStore),
  };
}

/** The parser's message would quote the text. */
function objectOf(text: string): Json | null {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of two keys for one scope the first counts. */
function byScope<T>(table: Json, read: (value: unknown) => T | null): Map<string, T> {
  const found = new Map<string, T>();
  for (const [key, value] of Object.entries(table)) {
    const item = read(value);
    const scope = scopeOfKey(key);
    if (item !== null && !found.has(scope)) found.set(scope, item);
  }
  return found;
}

function entryOf(value: unknown): AuthEntry | null {
  if (!isObject(value)) return null;
  const [name, secret] = decoded(textOf(value["auth"]) ?? "");
  const username = textOf(value["username"]) ?? name;
  const password = textOf(value["password"]) ?? secret;
  const identityToken = textOf(value["identitytoken"]);
  return username === "" && identityToken === null ? null : { username, password, identityToken };
}

/** Docker pads the password with zeros. */
function decoded(auth: string): readonly [username: string, password: string] {
  try {
    const bytes = Uint8Array.from(atob(auth), (character) => character.charCodeAt(0));
    const [, name = "", secret = ""] = new TextDecoder().decode(bytes).match(/^([^:]*):([^]*)$/) ??
      [];
    return [name, secret.replace(/^\0+|\0+$/g, "")];
  } catch {
    return ["", ""];
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
