/** The names of images in registries, resolved as Docker resolves them (distribution/reference v0.6.0). */

import { layoutPath } from "../../config/image_reference.ts";

/** The name of an image in a registry. */
export interface Reference {
  /** As the job wrote it. */
  readonly written: string;
  /** Host, with a port where one was written: `docker.io`, `registry.example.com:5000`. */
  readonly registry: string;
  /** The path at the registry: `library/ruby`. */
  readonly repository: string;
  /** Null where a digest stands alone; `latest` where neither was written. */
  readonly tag: string | null;
  /** `sha256:` and 64 hexadecimal digits, which decide even where there is a tag. */
  readonly digest: string | null;
  /** `PATH[:TAG]` of an image in a folder of the OCI image layout, which is in no registry. */
  readonly layout?: string;
}

const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::\\d{1,5})?$`);
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const REST = new RegExp(
  `^(${COMPONENT}(?:\\/${COMPONENT})*)(?::(\\w[\\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);

/** Docker reads this as the id of an image on the host, which no registry knows. */
const IMAGE_ID = /^[0-9a-f]{64}$/;

/** Longest registry and repository together: RepositoryNameTotalLengthMax of distribution/reference. */
const LONGEST_NAME = 255;

const DOCKER = "docker.io";

/** Returns the image that a text names; null where no registry can have an image of that name. */
export function parseReference(text: string): Reference | null {
  const [registry, rest] = splitRegistry(text);
  const [, path, tag, digest = null] = rest.match(REST) ?? [];
  if (path === undefined || !REGISTRY.test(registry) || IMAGE_ID.test(text)) return null;
  const repository = registry === DOCKER && !path.includes("/") ? `library/${path}` : path;
  if (registry.length + 1 + repository.length > LONGEST_NAME) return null;
  return {
    written: text,
    registry,
    repository,
    tag: tag ?? (digest === null ? "latest" : null),
    digest,
  };
}

/** Returns an image in a folder of the OCI image layout: `PATH[:TAG]`. */
export function layoutReference(layout: string): Reference {
  const registry = layoutPath(layout);
  return { written: `oci:${layout}`, registry, repository: "", tag: null, digest: null, layout };
}

/** The first part is a registry if it could be no part of a repository at Docker's own one: splitDockerDomain(). */
function splitRegistry(text: string): readonly [registry: string, rest: string] {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(0, slash));
  const rest = text.slice(slash + 1);
  const lower = first.toLowerCase();
  if (lower === "index.docker.io" || lower === DOCKER) return [DOCKER, rest];
  if (lower === "localhost" || /[.:]/.test(first)) return [lower, rest];
  // In lower case, such a name would be a part of a repository.
  return lower === first ? [DOCKER, text] : [first, rest];
}

/** Returns the whole name of an image, such as `docker.io/library/ruby:latest`. A digest replaces the tag. */
export function canonicalName({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${digest === null ? `:${tag}` : `@${digest}`}`;
}
