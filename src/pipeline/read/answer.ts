/** Reads the answer of the reader's machine. */

import { hostFailure, refused } from "../../failure.ts";
import { printable } from "../../text/printable.ts";
import type { Pipeline } from "../model.ts";
import { pipelineOf } from "./convert.ts";
import { Field } from "./field.ts";

/**
 * Returns the pipeline of an answer.
 *
 * @param file The file that was read, for messages.
 * @throws {Failure} `refused` for a mistake in the file, `host` where it is no answer.
 */
export function readAnswer(file: string, text: string): Pipeline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw hostFailure(`Cannot read ${file}: the reader gave no answer`, undefined, error);
  }
  const answer = new Field(value, "the answer of the reader");
  if (answer.get("kind").text() === "mistake") throw mistake(file, answer);
  if (!answer.get("runs").flag(true)) {
    throw refused(
      `Cannot run the pipeline of ${file}: its workflow: rules exclude it`,
      "Set the variables that these rules compare: --variable NAME=VALUE",
    );
  }
  return pipelineOf({
    kind: "pipeline",
    stages: answer.get("stages").value,
    jobs: answer.get("jobs").list(),
    runs: true,
    warnings: answer.get("warnings").texts().map(printable),
  });
}

function mistake(read: string, answer: Field): Error {
  const [file, line] = [answer.get("file"), answer.get("line")];
  const place = `${file.isUnset ? read : file.text()}${
    line.isUnset ? "" : ` line ${line.count(0)}`
  }`;
  const hint = answer.get("hint");
  return refused(
    `Cannot read ${printable(place)}: ${printable(answer.get("reason").text())}`,
    hint.isUnset ? undefined : printable(hint.text()),
  );
}
