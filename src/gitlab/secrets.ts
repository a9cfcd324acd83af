/** The secrets of a job, which a text that is kept must not contain. */

import type { Host } from "../host/host.ts";
import { textOf } from "./fields.ts";

/** In place of a secret, as in GitLab's logs. */
const MASK = "[MASKED]";

/** Shorter values are words that any text may contain. */
const LEAST_LENGTH = 6;

interface SecretFields {
  readonly token?: unknown;
  readonly variables?: readonly Variable[] | null;
  readonly credentials?: readonly { readonly password?: unknown }[] | null;
}

interface Variable {
  readonly value?: unknown;
  readonly public?: unknown;
  readonly masked?: unknown;
}

/**
 * Returns a text in which the secrets of this call's job are masked: its token, passwords of registries, and variables that
 * are masked or not public.
 */
export async function withoutSecrets(host: Host, text: string): Promise<string> {
  const path = host.env("JOB_RESPONSE_FILE");
  if (!path) return text;
  const secrets = secretsIn(await host.files.read(path).catch(() => null) ?? "");
  return secrets.toSorted((one, other) => other.length - one.length)
    .reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}

function secretsIn(response: string): string[] {
  try {
    const { token, variables, credentials }: SecretFields = JSON.parse(response);
    const hidden = (variables ?? []).filter((one) => one?.masked === true || one?.public !== true);
    const values = [
      token,
      ...hidden.map((one) => one?.value),
      ...(credentials ?? []).map((one) => one?.password),
    ];
    return values.map(textOf).filter((value) => value !== undefined)
      .filter((value) => value.length >= LEAST_LENGTH);
  } catch {
    return []; // it cannot be read, so that no message can quote it
  }
}
