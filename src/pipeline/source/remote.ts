/** What the URL of a repository tells about its project on a GitLab server. */

/** A project of GitLab. */
export interface Project {
  /** Its groups and its name, with slashes. */
  readonly path: string;
  /** The URL of its server. */
  readonly server: string;
}

/** A name that never resolves (RFC 6761). */
const NO_SERVER = "https://gitlab.invalid";

/**
 * Returns the project of a repository.
 *
 * @param remote A URL, or SSH's short form; null for none.
 * @param fallback The path of a project that no URL names.
 */
export function projectOf(remote: string | null, fallback: string): Project {
  const [, host, path] = remote?.match(SHORT_FORM) ?? [];
  if (host !== undefined && path !== undefined) {
    const server = `https://${host}`;
    return { path: pathOf(path) ?? fallback, server: URL.canParse(server) ? server : NO_SERVER };
  }
  const url = remote !== null && URL.canParse(remote) ? new URL(remote) : null;
  if (url === null || url.hostname === "") return { path: fallback, server: NO_SERVER };
  const isWeb = /^https?:$/.test(url.protocol);
  return {
    path: pathOf(url.pathname) ?? fallback,
    server: isWeb ? url.origin : `https://${url.hostname}`,
  };
}

/** As scp(1) takes it. */
const SHORT_FORM = /^(?:[^@/]+@)?([^:/@]+):(?!\/\/)(.+)$/;

/** Returns a path of which each part is a name; undefined for others, which could leave the folder of builds. */
function pathOf(text: string): string | undefined {
  const path = text.replace(/^\/+|\/+$|(?:\.git)?\/*$/g, "");
  return /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)+$/.test(path) ? path : undefined;
}

/** Returns a URL without password; of the web, also without user, which may be a token. */
export function withoutPassword(remote: string): string {
  return remote.replace(/^(https?:\/\/)[^/]*@/i, "$1")
    .replace(/^(\w[\w+.-]*:\/\/[^/:@]*):[^/]*@/, "$1@");
}
