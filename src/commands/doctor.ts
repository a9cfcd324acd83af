import type { CommandRun } from "../app/command.ts";
import { asReport, examine } from "../doctor/doctor.ts";
import { examineMachine } from "../doctor/machine.ts";
import { refused } from "../failure.ts";
import { driverOf } from "../app/self_argv.ts";

/** Checks this host. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const image = invocation.options["machine"];
  const findings = [
    ...await examine(host, await load()),
    ...(image === undefined ? [] : await examineMachine(host, await driverOf(context), image)),
  ];
  const json = invocation.switches.has("json");
  host.terminal.out(json ? JSON.stringify(findings, null, 2) + "\n" : asReport(findings));
  const broken = findings.filter(({ state }) => state === "broken").map(({ topic }) => topic);
  if (broken.length > 0) {
    throw refused(`Jobs do not run here: ${broken.join(", ")}`, "What mends it stands above");
  }
};
