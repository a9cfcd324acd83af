import type { CommandRun, Context, Invocation } from "../app/command.ts";
import { type SettingOrigin, settingOrigins } from "../app/setting_origins.ts";
import { checkFile } from "../config/check_file.ts";
import { usageError } from "../failure.ts";
import { checkPatterns } from "../images/request/patterns.ts";
import { tomlValue } from "../text/toml.ts";
import { printableJson } from "../text/json.ts";

/** Prints the configuration in force, or checks a file. */
export const run: CommandRun = async (invocation, context) => {
  const { chroot, check } = invocation.options;
  if (check !== undefined) return await checkOnly(invocation, context, check);
  const { host } = context;
  const settings = await settingOrigins(host, await context.config(), chroot);
  host.terminal.out(
    invocation.switches.has("json") ? printableJson(settings) : asToml(settings),
  );
};

async function checkOnly(
  { options, switches }: Invocation,
  { host }: Context,
  path: string,
): Promise<void> {
  if (options["chroot"] !== undefined || switches.has("json")) {
    throw usageError(
      "Cannot use --check with other options: it prints no settings",
      "Leave one out",
    );
  }
  const checked = await checkFile(host, path);
  if (checked.kind === "configuration") {
    const { pull, allowed_services } = checked.config;
    checkPatterns("pull", pull);
    checkPatterns("allowed_services", allowed_services);
  }
  host.terminal.out(`OK: ${path} is a valid ${checked.kind}\n`);
}

/** The widest `key = value` with its comment beside the others'. */
const WIDEST = 50;

/** Returns TOML that sets the same; where a value comes from is a comment. */
function asToml(settings: readonly SettingOrigin[]): string {
  const lines = settings.map(({ key, value, file }) =>
    value === null
      ? ["", `# ${key} has no value`] as const
      : [`${key} = ${tomlValue(value)}`, `# ${file ?? "default"}`] as const
  );
  const widths = lines.map(([setting]) => setting.length).filter((width) => width <= WIDEST);
  const column = Math.max(0, ...widths) + 2;
  return lines.map(([setting, comment]) =>
    (setting === "" ? comment : `${setting.padEnd(column - 1)} ${comment}`) + "\n"
  ).join("");
}
