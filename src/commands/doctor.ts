import type { CommandRun } from "../app/command.ts";
import { asReport, checkHost } from "../doctor/doctor.ts";
import { refused } from "../failure.ts";
import { printableJson } from "../text/json.ts";
import { printable } from "../text/printable.ts";

/** Checks this host, with --machine also a machine, and with --image an image at its registry. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const config = await load();
  const findings = await checkHost(host, config);
  const image = invocation.options["machine"];
  if (image !== undefined) {
    const { checkMachineOf } = await import("../app/check_machine.ts");
    findings.push(...await checkMachineOf(host, config, image));
  }
  const pulled = invocation.options["image"];
  if (pulled !== undefined) {
    const { checkImage } = await import("../doctor/images.ts");
    findings.push(await checkImage(host, config, pulled));
  }
  const json = invocation.switches.has("json");
  host.terminal.out(
    json ? printableJson(findings) : printable(asReport(findings)),
  );
  const broken = findings.filter(({ state }) => state === "broken").map(({ topic }) => topic);
  if (broken.length > 0) {
    throw refused(
      `Cannot run jobs on this host: ${broken.join(", ")}`,
      "The lines above have the fixes",
    );
  }
};
