/** Finds keys in the text of a YAML file. */

/**
 * Returns the line, from 1, of the last of the nested keys that can be found from the beginning of the text on;
 * undefined where not even the first is there. It knows block style alone.
 */
export function lineOf(text: string, keys: readonly string[]): number | undefined {
  const lines = text.split("\n");
  let found: number | undefined;
  let indentation = -1;
  for (const key of keys) {
    const next = lines.findIndex((line, at) =>
      at > (found ?? -1) && keyOf(line) === key && indentationOf(line) > indentation
    );
    if (next === -1 || (found !== undefined && isAfterBlock(lines, found, next))) break;
    found = next;
    indentation = indentationOf(lines[next]!);
    if (indentation > 0 && key === keys[0]) return undefined;
  }
  return found === undefined ? undefined : found + 1;
}

function keyOf(line: string): string | undefined {
  const [, , key] = line.match(/^[\s-]*(["']?)(.*?)\1\s*:(?:\s|$)/) ?? [];
  return key;
}

function indentationOf(line: string): number {
  return line.search(/[^\s-]/);
}

/** Whether the block of a key ends before a line. */
function isAfterBlock(lines: readonly string[], from: number, to: number): boolean {
  const indentation = indentationOf(lines[from]!);
  return lines.slice(from + 1, to).some((line) =>
    /^\s*[^\s#]/.test(line) && indentationOf(line) <= indentation && !/^\s*-/.test(line)
  );
}
