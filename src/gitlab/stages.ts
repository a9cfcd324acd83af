/** GitLab Runner's names of the stages that mean something to a driver. */

/**
 * Whether a stage runs what the user wrote, and fails the job.
 *
 * @param stage GitLab Runner's name; undefined by hand.
 * @returns False for what GitLab Runner does itself, and for `after_script`.
 */
export function isUserScript(stage: string | undefined): boolean {
  return stage === undefined || stage === "build_script" || stage.startsWith("step_");
}

/**
 * Whether a stage is the last of a job, and so the last chance to write into its log.
 *
 * @param stage GitLab Runner's name; undefined by hand.
 * @returns True for the last.
 */
export function isLastStage(stage: string | undefined): boolean {
  return stage === "cleanup_file_variables";
}
