/** Runs skopeo(1) for pulled images. */

import { join } from "@std/path/posix";
import type { Argv, Captured, Host } from "../../host/host.ts";
import { toolEnvironment } from "../../linux/tool.ts";
import type { AuthEntry } from "../request/auth_config.ts";
import type { ImageAccess } from "../request/image_request.ts";
import type { Reference } from "../request/reference.ts";
import { imagePaths, PASSWORD_FOLDER } from "./paths.ts";

/**
 * Removes the file with the password before skopeo starts, which reads it through its descriptor: no kill leaves it
 * behind. Arguments: the file, the command.
 */
export const HIDE_PASSWORD_SCRIPT = `
exec 3<"$1" || exit
rm -f -- "$1"
shift
exec "$@"
`;

/** Where skopeo finds the password. */
export const PASSWORD_DESCRIPTOR = "/proc/self/fd/3";

/**
 * Writes the file by which skopeo gets a password: containers-auth.json(5). There is one also without credentials, since
 * skopeo would use root's own file otherwise.
 *
 * @returns Its path.
 */
export async function writePassword(
  host: Host,
  { reference: { registry }, credentials, mirrors }: ImageAccess,
): Promise<string> {
  await host.files.makeDirectory(PASSWORD_FOLDER);
  const path = join(PASSWORD_FOLDER, `auth-${crypto.randomUUID()}`);
  const own = credentials === null ? [] : [[registry, credentials] as const];
  const auths = Object.fromEntries(
    [...mirrors, ...own].map(([scope, entry]) => [scope, authOf(entry)] as const),
  );
  await host.files.write(path, JSON.stringify({ auths }));
  return path;
}

function authOf({ username, password, identityToken }: AuthEntry): Record<string, string> {
  if (identityToken === null) return { auth: base64(`${username}:${password}`) };
  return { auth: base64("<token>:"), identitytoken: identityToken };
}

/** Returns the text in base64, as UTF-8. */
function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** Returns the environment of skopeo. The administrator may have given GitLab Runner certificates by two variables. */
export function skopeoEnvironment(host: Host): Record<string, string> {
  const set = ["SSL_CERT_FILE", "SSL_CERT_DIR"].flatMap((name) => {
    const value = host.env(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return toolEnvironment(host, Object.fromEntries(set));
}

/** Runs skopeo with the credentials for one image, and returns its output. */
export async function captureSkopeo(
  host: Host,
  access: ImageAccess,
  words: readonly string[],
  interrupt: AbortSignal,
): Promise<Captured> {
  const file = await writePassword(host, access);
  try {
    const argv = ["sh", "-c", HIDE_PASSWORD_SCRIPT, "sh", file, "skopeo", ...words] as const;
    return await host.processes.capture(argv, {
      env: skopeoEnvironment(host),
      signal: interrupt,
    });
  } finally {
    await host.files.remove(file);
  }
}

/** Returns the image of a registry or a folder, in the notation of containers-transports(5). */
export function sourceOf({ registry, repository, tag, digest, layout }: Reference): string {
  if (layout !== undefined) return `oci:${layout}`;
  const name = `docker://${registry}/${repository}`;
  return digest === null ? `${name}:${tag}` : `${name}@${digest}`;
}

/** As in Docker, a registry on this host needs no certificate. */
export function needsCertificate({ registry }: Reference): boolean {
  return !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(registry);
}

/** Returns the store of layers, in the notation of containers-transports(5); the name of an image follows. */
function library(store: string): string {
  // Without skip_mount_home, the folder would be mounted on itself. The first path is on disk, the second in memory.
  const { storage } = imagePaths(store);
  const memory = join(PASSWORD_FOLDER, `storage${storage.replaceAll("/", "-").slice(-200)}`);
  return `containers-storage:[overlay@${storage}+${memory}:overlay.skip_mount_home=true]`;
}

/** Returns an image in the library, by the name that only this program gives it. */
export function inLibrary(store: string, id: string): string {
  return library(store) + libraryName(id);
}

/** Returns an image in the library by the hash of its configuration. */
export function inLibraryByHash(store: string, hash: string): string {
  return `${library(store)}@${hash}`;
}

/** Returns the name that an image has in the library. */
export function libraryName(id: string): string {
  return `localhost/nspawn-runner:${id}`;
}

/** Returns the command that copies an image. */
export function copyArgv(scratch: string, words: readonly string[]): Argv {
  return ["skopeo", "--tmpdir", scratch, ...words];
}

/** The beginning of a command whose mounts and children end with it. */
export const OWN_NAMESPACES = [
  "unshare",
  "--mount",
  "--propagation=slave",
  "--pid",
  "--fork",
  "--mount-proc",
  "--kill-child=KILL",
  "--",
] as const;

/** Runs skopeo on the library alone. */
export function runSkopeo(host: Host, words: readonly string[]): Promise<Captured> {
  return host.processes.capture([...OWN_NAMESPACES, "skopeo", ...words], {
    env: skopeoEnvironment(host),
  });
}

/** Returns the reason of a failure, which skopeo prints as the last line of a log. */
export function reasonIn(output: string): string {
  const line = output.trim().split("\n").at(-1) ?? "";
  const message = line.match(/ msg="(.*)"$/)?.[1]?.replaceAll('\\"', '"') ?? line;
  return message.replace(/^Error parsing image name "[^"]*": /, "");
}
