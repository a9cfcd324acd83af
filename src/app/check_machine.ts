/** Starts a machine for the doctor, and checks it from inside. */

import type { Config } from "../config/settings.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkMachine, notStarted } from "../doctor/machine.ts";
import { Failure } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { machineLine } from "../machines/report/start_report.ts";
import { findHelperRoot } from "./find_helper_root.ts";
import { interruptible } from "./interrupt.ts";
import { planForCheck } from "./machine_plan.ts";
import { withTrialMachine } from "./trial_machine.ts";

/**
 * Starts a machine as a job with this image gets it, checks it from inside, and ends it.
 *
 * @returns One finding that the machine did not start, or a finding for each probe.
 */
export async function checkMachineOf(
  host: Host,
  config: Config,
  image: string,
): Promise<Finding[]> {
  return await interruptible(host, async (interrupt) => {
    try {
      const plan = await planForCheck(host, config, image, interrupt, findHelperRoot);
      return await withTrialMachine(
        host,
        plan,
        interrupt,
        async ({ lease, enforcesLimits, capture }) => {
          const description = machineLine(lease, plan.settings, enforcesLimits);
          return await checkMachine(host, { description, capture });
        },
      );
    } catch (error) {
      if (interrupt.aborted || !(error instanceof Failure)) throw error;
      return [notStarted(error)];
    }
  });
}
