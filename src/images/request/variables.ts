import type { Host } from "../../host/host.ts";

/**
 * Expands `$NAME` and `${NAME}` by the job's variables. GitLab Runner expands the name of an image, but leaves its
 * options to executors: common/spec/variables.go.
 */
export function expandVariables(host: Host, text: string): string {
  return expandBy((name) => host.env(`CUSTOM_ENV_${name}`), text);
}

/** Expands `$NAME` and `${NAME}`; `$$` is a dollar sign, and a variable without a value is empty. */
export function expandBy(valueOf: (name: string) => string | undefined, text: string): string {
  return text.replaceAll(
    /\$(?:(\$)|\{(\w+)\}|(\w+))/g,
    (_, dollar, braced, plain) => dollar ?? valueOf(braced ?? plain) ?? "",
  );
}
