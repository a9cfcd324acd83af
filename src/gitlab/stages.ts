/** The stages of GitLab Runner that an executor treats in a special way, by their names. */

/**
 * Returns whether a stage runs the user's script, so that its failure fails the job. False for GitLab Runner's own
 * stages and for `after_script`.
 *
 * @param stage Undefined for a call by hand.
 */
export function isUserScript(stage: string | undefined): boolean {
  return stage === undefined || stage === "build_script" || stage.startsWith("step_");
}

/**
 * Returns whether a stage is the last one of a job: no later stage can write into its log.
 *
 * @param stage Undefined for a call by hand.
 */
export function isLastStage(stage: string | undefined): boolean {
  return stage === "cleanup_file_variables";
}
