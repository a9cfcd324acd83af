/** Makes lines of what a job prints. */

/** In place of a masked value, as in GitLab's logs. */
const MASK = "[MASKED]";

/** GitLab masks no shorter values: any text may contain them. */
const LEAST_LENGTH = 8;

/** Characters after which a line is broken: a job may print without end. */
const LONGEST_LINE = 65_536;

export interface LineOptions {
  /** Values that are not shown. */
  readonly masked: readonly string[];
  /** Whether colours stay. */
  readonly colored: boolean;
  /** Gets each line, without its end. */
  readonly onLine: (line: string) => void;
}

/** Takes the output of a job. */
export interface JobLines {
  write(chunk: Uint8Array | string): void;
  /** Shows a last line that has no end. */
  end(): void;
}

/**
 * Returns what makes lines of a job's output, which cannot control a terminal. Of what a job overwrites in a line, such as
 * a progress bar, the last state is shown.
 */
export function jobLines({ masked, colored, onLine }: LineOptions): JobLines {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const values = maskedLines(masked);
  const hide = (text: string) =>
    values.reduce((shown, value) => shown.replaceAll(value, MASK), text);
  const show = (line: string) => onLine(hide(harmless(lastState(line), colored)));
  // A masked value may begin in what is shown of a long line and end in its rest.
  const overlap = Math.max(0, (values[0]?.length ?? 0) - 1);
  let rest = "";
  return {
    write(chunk) {
      const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      lines.forEach(show);
      if (rest.length <= LONGEST_LINE + overlap) return;
      rest = hide(rest);
      const end = rest.length - overlap;
      show(rest.slice(0, end));
      rest = rest.slice(end);
    },
    end() {
      const last = rest + decoder.decode();
      rest = "";
      if (last !== "") show(last);
    },
  };
}

/** A value with several lines is masked line by line. Longer values come first: they may contain others. */
function maskedLines(values: readonly string[]): readonly string[] {
  return values.flatMap((value) => value.split(/\r?\n/))
    .filter((line) => line.length >= LEAST_LENGTH)
    .toSorted((one, other) => other.length - one.length);
}

function lastState(line: string): string {
  return line.split("\r").findLast((state) => state !== "") ?? "";
}

/** Replaces all control characters but tabs, and all of their sequences but those of colours: console_codes(4). */
function harmless(line: string, colored: boolean): string {
  const text = line.replaceAll(SEQUENCE, (found) => colored && COLOR.test(found) ? found : "")
    .replaceAll(CONTROL, "");
  return colored && text.includes("\x1b") && !ENDS_COLOR.test(text) ? text + RESET : text;
}

/** What a job colours without an end would colour all lines after it. */
const RESET = "\x1b[0m";
// deno-lint-ignore no-control-regex
const ENDS_COLOR = /\x1b\[[0;]*m$/;

// deno-lint-ignore no-control-regex
const SEQUENCE = /\x1b(?:\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g;
// deno-lint-ignore no-control-regex
const COLOR = /^\x1b\[[\d;]*m$/;
const CONTROL =
  // deno-lint-ignore no-control-regex
  /\x1b(?!\[[\d;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
