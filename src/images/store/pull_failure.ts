/** Why an image could not be pulled: the user's fault, that of the host or the registry, or a network's. */

import { type Failure, hostFailure, refused } from "../../failure.ts";
import type { Reference } from "../request/reference.ts";
import { sourceOf } from "./skopeo.ts";

/** A failure to pull an image. */
export interface PullFailure {
  readonly failure: Failure;
  /** Whether a further try may succeed in some seconds. */
  readonly isTransient: boolean;
}

const DISK_FULL = /no space left on device|disk quota exceeded/i;

const DENIED =
  /unauthorized|authentication required|denied|forbidden|invalid username|status(?: ?code)?:? 40[13]/i;

/** What people can do where the disk is full. */
export const FREE_DISK_HINT = "Free disk space: nspawn-runner gc, or image-remove IMAGE";

/** Returns whether a message of skopeo means that the disk is full. */
export function isDiskFull(reason: string): boolean {
  return DISK_FULL.test(reason);
}

/** Causes by words of skopeo's message, the first one counts: classify_image_pull_failure.go of GitLab Runner. */
const CAUSES: readonly {
  readonly words: RegExp;
  readonly make: (what: string, reason: string, reference: Reference) => Failure;
  readonly isTransient?: true;
}[] = [
  {
    words: DISK_FULL,
    make: (what, reason) => hostFailure(`${what}: ${reason}`, FREE_DISK_HINT),
  },
  {
    words: /toomanyrequests|too many requests|status(?: ?code)?:? 429/i,
    make: (what, reason) =>
      hostFailure(
        `${what}: ${reason}`,
        'The registry limits pulls: log in to it, or set pull_policy = ["if-not-present"]',
      ),
  },
  {
    words:
      /\b50\d (?:Internal|Bad|Service|Gateway)|StatusCode: 5\d\d|HTTP status(?: code)?:? 5\d\d/i,
    make: (what, reason) => hostFailure(`${what}: ${reason}`, "The registry failed: try again"),
  },
  {
    words:
      /connection (?:refused|reset)|no such host|server misbehaving|i\/o timeout|TLS handshake timeout|\bEOF\b|broken pipe|unreachable|no route to host|Client\.Timeout|deadline exceeded|temporary failure/i,
    make: (what, reason, { registry }) =>
      hostFailure(`${what}: ${reason}`, `Is ${registry} reachable from this host?`),
    isTransient: true,
  },
  {
    // Another process removed it meanwhile, or is about to remove one that has taken its configuration.
    words:
      /layer not known|image not known|does not exist in the local storage|uses a different top layer/i,
    make: (what, reason) => hostFailure(`${what}: ${reason}`, "Try again"),
    isTransient: true,
  },
  {
    words: /no image found in (?:manifest list|image index)/i,
    make: (what, _reason, reference) =>
      refused(
        `${what}: it is not made for this platform`,
        `Choose an image for it; see its platforms: skopeo inspect --raw ${sourceOf(reference)}`,
      ),
  },
  {
    words: /manifest unknown|name unknown|name invalid|not known to registry|manifest.*not found/i,
    make: (what, _reason, { registry }) =>
      refused(`${what}: ${registry} does not have it`, "Check its name and its tag"),
  },
  {
    words: DENIED,
    make: (what, _reason, { registry }) =>
      refused(
        `${what}: ${registry} denies access, or does not have it`,
        "Check its name, and the credentials: the job's variable DOCKER_AUTH_CONFIG, the project's access, or " +
          `for all jobs and chroots of this host: ${loginCommand(registry)}`,
      ),
  },
];

/** Returns the command by which root logs in to a registry. */
function loginCommand(registry: string): string {
  return `skopeo login --authfile /root/.config/containers/auth.json ${registry}`;
}

/** Returns the failure that skopeo's message means. */
export function pullFailure(reference: Reference, reason: string): PullFailure {
  const denying = denyingMirror(reason);
  const { failure, isTransient } = judge(reference, reason);
  if (denying === null || failure.kind === "refused") return { failure, isTransient };
  const hint = `Its mirror ${denying} denies access: ${loginCommand(denying)}`;
  return { failure: hostFailure(failure.message, hint), isTransient };
}

/** What skopeo says of the mirrors of a registry, before it says why the registry itself failed. */
const MIRRORS = /\(Mirrors also failed: (.*)\): (?=\S+: )/s;

function denyingMirror(reason: string): string | null {
  const mirrors = reason.match(MIRRORS)?.[1] ?? "";
  // Of each failure, the words after the last colon have no name of an image.
  const failures = mirrors.matchAll(/\[([^\s\/[\]]+)\/\S+: (?:[^\]]*: )?([^\]]*)\]/g);
  return failures.find(([, , words = ""]) => DENIED.test(words))?.[1] ?? null;
}

function judge(reference: Reference, reason: string): PullFailure {
  const what = `Cannot pull image ${reference.written}`;
  // The words may be those of a name: app:429, or g/denied.
  const { registry, repository } = reference;
  const judged = reason.replace(MIRRORS, "").replaceAll(`${registry}/${repository}`, "IMAGE")
    .replace(/(?<=manifest )\S+ (?=in )/, "");
  const cause = CAUSES.find(({ words }) => words.test(judged));
  if (cause === undefined) {
    const hint = `Try it: skopeo inspect ${sourceOf(reference)}`;
    return { failure: hostFailure(`${what}: ${reason}`, hint), isTransient: false };
  }
  return {
    failure: cause.make(what, reason, reference),
    isTransient: cause.isTransient ?? false,
  };
}
