/** What the program in the reader's machine is asked, and what it answers. */

/** What is read, and with which variables. */
export interface ReaderRequest {
  /** The path of the file in the working copy. */
  readonly file: string;
  /** Predefined variables, which those of the file may replace. */
  readonly predefined: Readonly<Record<string, string>>;
  /** Variables of the pipeline, which replace those of the file. */
  readonly variables: Readonly<Record<string, string>>;
  /** Changed files for `rules:changes`; null where they are not known, so that the rule holds. */
  readonly changes: readonly string[] | null;
  /** Whether files of other projects and servers may be fetched. */
  readonly fetch: boolean;
}

/** What is wrong with the file. */
export interface Mistake {
  readonly kind: "mistake";
  readonly reason: string;
  /** The file that has the mistake, and its line, as far as they are known. */
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  /** What the user can do. */
  readonly hint?: string;
}

/** The pipeline as gitlab-ci-local expanded it. Everything below is unchecked: the file may have forged it. */
export interface ExpandedPipeline {
  readonly kind: "pipeline";
  readonly stages: unknown;
  readonly jobs: readonly unknown[];
  /** False where workflow:rules exclude the pipeline. */
  readonly runs: boolean;
  readonly warnings: readonly string[];
}

/** The answer, as JSON on stdout. */
export type ReaderAnswer = Mistake | ExpandedPipeline;
