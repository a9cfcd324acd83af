/** The names of images: those that a job or the configuration writes, and those that a registry has. */

const HOST = "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?";
const PORT = ":\\d{1,5}";
const PATH = "(?:\\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)";
const TAG = ":\\w[\\w.-]{0,127}";
const DIGEST = "sha256:[0-9a-f]{64}";

const REFERENCE = new RegExp(`^${HOST}(?:${PORT})?${PATH}*(?:${TAG})?(?:@${DIGEST})?$`);

/** Returns whether a text is `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. */
export function isImageReference(text: string): boolean {
  return REFERENCE.test(text);
}

/** A registry is `localhost`, or has a dot or a port: otherwise Docker's own registry is meant. */
const REGISTRY = `(?:localhost|[a-z0-9-]+(?:\\.[a-z0-9-]+)+|[a-z0-9.-]+(?=:\\d))(?:${PORT})?`;

const PUSH_TARGET = new RegExp(`^${REGISTRY}${PATH}+${TAG}$`);

/** Returns whether a text is `REGISTRY/REPOSITORY:TAG`, to which an image can be pushed. */
export function isPushTarget(text: string): boolean {
  return PUSH_TARGET.test(text);
}

const JOB_IMAGE = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._:/-]*(?:@${DIGEST})?$`);

/** Returns whether a text may follow `image:` in a job: a name, perhaps with registry, tag and digest. */
export function isJobImage(text: string): boolean {
  return JOB_IMAGE.test(text);
}

const REGISTRY_PART = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

/** Returns whether a text may stand between the slashes before the last component of a job's image. */
export function isRegistryPart(text: string): boolean {
  return REGISTRY_PART.test(text) && !text.includes("..");
}

const AT_TAG = new RegExp(`${TAG}$`);

/** Returns the path of `PATH:TAG`, the form in which a folder of the OCI image layout is named. */
export function layoutPath(text: string): string {
  return text.replace(AT_TAG, "");
}
