import type { Host } from "../../host/host.ts";

/**
 * Expands `$NAME` and `${NAME}` by the job's variables. GitLab Runner expands the name of an image, but leaves its
 * options to executors: common/spec/variables.go.
 */
export function expandVariables(host: Host, text: string): string {
  return text.replaceAll(
    /\$(?:(\$)|\{(\w+)\}|(\w+))/g,
    (_, dollar, braced, plain) => dollar ?? host.env(`CUSTOM_ENV_${braced ?? plain}`) ?? "",
  );
}
