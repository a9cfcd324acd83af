/** `@std/path/posix` over path-browserify: what this project uses of it, and no more. */

import path from "path-browserify";

/** The part of path-browserify that is used; it brings no types. */
interface Posix {
  basename(path: string, suffix?: string): string;
  dirname(path: string): string;
  extname(path: string): string;
  isAbsolute(path: string): boolean;
  join(...parts: string[]): string;
  normalize(path: string): string;
  relative(from: string, to: string): string;
  resolve(...parts: string[]): string;
}

const posix = path as unknown as Posix;

export const { basename, dirname, extname, isAbsolute, join, normalize } = posix;

/**
 * An absolute path. Its own idea of the working directory would load Node's `process`.
 *
 * @param parts Paths, joined from right to left until one is absolute.
 * @returns The absolute path.
 */
export function resolve(...parts: string[]): string {
  return posix.resolve(Deno.cwd(), ...parts);
}

/**
 * The way from one path to another.
 *
 * @param from Where the way begins.
 * @param to Where it ends.
 * @returns A relative path.
 */
export function relative(from: string, to: string): string {
  return posix.relative(resolve(from), resolve(to));
}

/**
 * The path of a file URL.
 *
 * @param url The URL.
 * @returns An absolute path.
 * @throws {TypeError} where the URL is of another kind.
 */
export function fromFileUrl(url: string | URL): string {
  const { protocol, pathname } = new URL(url);
  if (protocol !== "file:") throw new TypeError(`URL must be a file URL: received "${protocol}"`);
  return decodeURIComponent(pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
}
