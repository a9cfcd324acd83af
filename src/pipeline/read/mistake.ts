/** What is wrong with the file of a pipeline, and where. */

import { relative } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import { lineOf } from "./line_of.ts";
import type { Mistake } from "./request.ts";

/** A mistake in the file, with the keys that lead to it, or a text of its line, and a hint for the user. */
export class FileMistake extends Error {
  constructor(
    reason: string,
    readonly keys: readonly string[],
    readonly more: { readonly snippet?: string; readonly hint?: string } = {},
  ) {
    super(reason);
  }
}

/** A wrong schema, as gitlab-ci-local describes it. */
export interface SchemaError {
  readonly message: string;
  /** Keys with dots between them. */
  readonly path: string;
}

/** Returns the mistake that explains most of some: the deepest one, since no alternative above it fits either. */
export function schemaMistake(errors: readonly SchemaError[]): FileMistake | null {
  const depth = ({ path }: SchemaError) => path.split(".").length;
  const [error] = errors.toSorted((a, b) => depth(b) - depth(a));
  if (error === undefined) return null;
  const { message, path } = error;
  const [, unexpected] = message.match(/^'(.+)' property is not expected/) ?? [];
  const keys = [...path.split("."), unexpected].filter((key) => key !== undefined && key !== "");
  return new FileMistake(path === "" ? message : `${path}: ${message}`, keys as string[]);
}

/** Returns the line of an error of js-yaml, from 1, and its file. */
export function positionOf(error: unknown): { readonly line?: number; readonly file?: string } {
  const { mark, file } = error as { mark?: { line?: number }; file?: string };
  return {
    ...(mark?.line === undefined ? {} : { line: mark.line + 1 }),
    ...(file === undefined ? {} : { file: relativePath(file) }),
  };
}

/** Returns the path of a file in the working copy. */
export function relativePath(path: string): string {
  return relative(".", path);
}

/** Finds the line by the keys of the mistake, by a text that is in it, or by the name of a job in the message. */
export function mistakeOf(
  error: unknown,
  file: string,
  text: string,
  names: readonly string[],
): Mistake {
  const position = positionOf(error);
  const { reason = messageOf(error) } = error as { reason?: string };
  const cause = error instanceof TypeError ? `gitlab-ci-local cannot expand it: ${reason}` : reason;
  const message = cause.trim().replace(/^This Git[Ll]ab CI configuration is invalid: /, "")
    .replaceAll(/\s*\n\s*/g, " ");
  if (position.line !== undefined) return { kind: "mistake", reason: message, file, ...position };
  return {
    kind: "mistake",
    reason: message,
    file,
    line: lineOfMistake(error, message, text, names),
    ...(error instanceof FileMistake && error.more.hint !== undefined
      ? { hint: error.more.hint }
      : {}),
  };
}

function lineOfMistake(
  error: unknown,
  message: string,
  text: string,
  names: readonly string[],
): number | undefined {
  if (!(error instanceof FileMistake)) {
    const keyword = message.match(/\b(?:needs|stage|extends|dependencies)\b/)?.[0] ?? "";
    return lineOf(text, [namedIn(message, names), keyword]);
  }
  const { keys, more: { snippet } } = error;
  if (snippet === undefined) return lineOf(text, keys);
  const index = text.split("\n").findIndex((line) => line.includes(snippet));
  return index === -1 ? undefined : index + 1;
}

/** Returns the longest name of a job that a message contains as a word, or else the keyword that it is about. */
function namedIn(message: string, names: readonly string[]): string {
  const found = names.filter((name) => {
    const word = name.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    return new RegExp(`(?:^|[^\\w-])${word}(?:$|[^\\w-])`).test(message);
  });
  const [name] = found.toSorted((a, b) => b.length - a.length);
  return name ?? (/include|component/i.test(message) ? "include" : "");
}
