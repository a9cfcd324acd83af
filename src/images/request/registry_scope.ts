/** Scopes of credentials: a registry, or a path at it. */

import type { Reference } from "./reference.ts";

/**
 * Returns the scopes that an image is in, the longest first: `host/a/b`, `host/a`, `host`. Docker leaves `library/` out
 * of the names of its own registry, and skopeo writes it: both forms count.
 */
export function scopesOf({ registry, repository }: Reference): string[] {
  const parts = `${registry}/${repository}`.split("/");
  const scopes = parts.map((_, index) => parts.slice(0, parts.length - index).join("/"));
  const short = registry === "docker.io" ? repository.match(/^library\/([^/]+)$/)?.[1] : undefined;
  return short === undefined ? scopes : [scopes[0]!, `docker.io/${short}`, ...scopes.slice(1)];
}

/** Returns the scope that a key of Docker's configuration means: of a URL only the host counts. */
export function scopeOfKey(key: string): string {
  const [, scheme, rest = ""] = key.match(/^(https?:\/\/)?([^]*)$/) ?? [];
  const [host = "", ...path] = rest.split("/");
  const registry = host.toLowerCase() === "index.docker.io" ? "docker.io" : host.toLowerCase();
  if (scheme !== undefined) return registry;
  const parts = [registry, ...path].join("/").replace(/\/+$/, "").split("/");
  const last = parts.length === 1 ? parts[0]! : parts.at(-1)!.replace(/:.*$/, "");
  return [...parts.slice(0, -1), last].join("/");
}
