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

/**
 * What a stage is for: `sources` and `files` are stages of GitLab Runner itself, which its docker executor runs in a helper
 * container; those of `files` run no command of the job. All others run what the job says.
 */
export type StageKind = "sources" | "files" | "script";

/**
 * Returns what a stage is for: predefinedBuildStages() in common/build.go of GitLab Runner.
 *
 * @param stage Undefined for a call by hand.
 */
export function kindOf(stage: string | undefined = ""): StageKind {
  if (/^(?:prepare_script|get_sources|clear_worktree)$/.test(stage)) return "sources";
  return FILES.test(stage) ? "files" : "script";
}

const FILES =
  /^(?:restore_cache|download_artifacts|archive_cache.*|upload_artifacts_.*|cleanup_file_variables)$/;
