/** Tells what is done before the first job starts, where this takes long. */

import type { Host } from "../../host/host.ts";

/** Milliseconds after which a person wonders. */
const SLOW = 2000;

export interface SlowSteps extends Disposable {
  /** Begins the next step. */
  begin(step: string): void;
}

/** Returns what prints the step that is not done after two seconds, and each step that begins later. */
export function slowSteps(host: Host): SlowSteps {
  let current = "";
  let isSlow = false;
  const forget = host.clock.after(SLOW, () => {
    isSlow = true;
    host.log.info(current);
  });
  return {
    begin(step) {
      current = step;
      if (isSlow) host.log.info(step);
    },
    [Symbol.dispose]: forget,
  };
}
