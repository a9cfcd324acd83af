/**
 * Throwaway machines of systemd-nspawn for a CI system of your own: starts one from a chroot or an image, runs scripts in it,
 * and ends it.
 *
 * ```ts
 * import { startMachine } from "@nspawn-runner/nspawn-runner";
 *
 * await using machine = await startMachine({ image: "bookworm" });
 * const { code, stdout } = await machine.run("make test");
 * ```
 *
 * Run as a program, this module is nspawn-runner itself, the custom executor for GitLab Runner.
 *
 * @module
 */

export { startMachine } from "./src/library/start_machine.ts";
export type {
  Machine,
  MachineLimits,
  MachineOptions,
  MachineService,
  OutputTarget,
  RunOptions,
  ScriptResult,
} from "./src/library/types.ts";
export { Failure, type FailureKind } from "./src/failure.ts";

if (import.meta.main) await import("./src/cli/entry.ts");
