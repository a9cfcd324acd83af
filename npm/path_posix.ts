/** `@std/path/posix` on networks without JSR, over path-browserify: the functions that this project uses. */

import path from "path-browserify";

/** The part of path-browserify that is used; it brings no types. */
interface Posix {
  basename(path: string): string;
  dirname(path: string): string;
  extname(path: string): string;
  isAbsolute(path: string): boolean;
  join(...parts: string[]): string;
  normalize(path: string): string;
  relative(from: string, to: string): string;
  resolve(...parts: string[]): string;
}

const posix = path as unknown as Posix;

export const { extname, isAbsolute, join, normalize } = posix;

/** Returns the last part of a path without a suffix, unless the suffix is all of it; `/` for the root, as `@std`. */
export function basename(path: string, suffix = ""): string {
  const name = posix.basename(path) || (posix.isAbsolute(path) ? "/" : "");
  const isCut = suffix !== "" && name !== suffix && name.endsWith(suffix);
  return isCut ? name.slice(0, -suffix.length) : name;
}

/** Returns the path without its last part. As in `@std`, no slash is left at its end, but for the root's. */
export function dirname(path: string): string {
  return posix.dirname(path).replace(/(?!^)\/+$/, "");
}

/** Returns an absolute path, as path-browserify does, but without Node's `process`, which is slow to load. */
export function resolve(...parts: string[]): string {
  return posix.resolve(Deno.cwd(), ...parts);
}

/** Returns the relative path that leads from one path to another. */
export function relative(from: string, to: string): string {
  return posix.relative(resolve(from), resolve(to));
}

/**
 * Returns the path of a file URL.
 *
 * @throws {TypeError} for a URL of another scheme.
 */
export function fromFileUrl(url: string | URL): string {
  const { protocol, pathname } = new URL(url);
  if (protocol !== "file:") throw new TypeError(`URL must be a file URL: received "${protocol}"`);
  return decodeURIComponent(pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
}
