/** Asks registries and folders which image they have by a name. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { sha256 } from "../../text/hash.ts";
import type { ImageAccess } from "../request/image_request.ts";
import { pullFailure } from "./pull_failure.ts";
import { retryNetwork } from "./retry.ts";
import {
  captureSkopeo,
  needsCertificate,
  PASSWORD_DESCRIPTOR,
  reasonIn,
  sourceOf,
} from "./skopeo.ts";

/** As skopeo words it. */
const OTHER_DIGEST = "Digest did not match";

/**
 * Returns the digest that a registry or a folder has for an image, by one request with the job's credentials.
 *
 * @throws {Failure} as obtainImage().
 */
export async function digestOf(
  host: Host,
  access: ImageAccess,
  interrupt: AbortSignal,
): Promise<string> {
  const { reference, credentials } = access;
  if (credentials !== null) {
    host.log.info(`Using credentials for ${credentials.scope} from ${credentials.source}`);
  }
  const words = [
    ...["--command-timeout=2m", "inspect", "--raw"],
    ...needsCertificate(reference) ? [] : ["--tls-verify=false"],
    ...[`--authfile=${PASSWORD_DESCRIPTOR}`, sourceOf(reference)],
  ];
  const ask = async () => {
    const asked = await captureSkopeo(host, access, words, interrupt);
    if (interrupt.aborted) {
      throw hostFailure(`Cannot pull image ${reference.written}: interrupted`);
    }
    if (asked.code !== 0) {
      return { value: "", failed: pullFailure(reference, reasonIn(asked.stderr)) };
    }
    const value = `sha256:${await sha256(asked.stdout)}`;
    const isRight = reference.digest === null || value === reference.digest;
    return { value, failed: isRight ? null : pullFailure(reference, OTHER_DIGEST) };
  };
  return await retryNetwork(host, interrupt, ask);
}
