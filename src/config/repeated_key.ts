/**
 * Finds a key or table that a TOML text sets twice. TOML 1.0 forbids that, but `@std/toml` accepts a repeated key
 * without an error, and the last value counts.
 */

/** Strings of all four kinds, comments, words, and single characters. */
const TOKEN =
  /"""(?:\\[^]|(?!""")[^\\])*"{3,5}|'''(?:(?!''')[^])*'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[\w+-]+|[^]/g;
const BLANK_OR_COMMENT = /^[ \t\r\uFEFF#]/;
const END_OF_VALUE = /^[,\n\]}]$/;

type Path = readonly string[];

/**
 * Returns the dotted path of the first key or table that is set twice; undefined where there is none.
 *
 * @param text TOML that a parser has accepted: its syntax is known to be right.
 */
export function repeatedKey(text: string): string | undefined {
  const tokens = text.match(TOKEN)?.filter((token) => !BLANK_OR_COMMENT.test(token)) ?? [];
  return new Reader(tokens).read();
}

class Reader {
  /** Paths with a value of their own, and those of tables, as JSON: two paths are equal when their texts are. */
  readonly #values = new Set<string>();
  readonly #tables = new Set<string>();
  /** The last element of each array of tables, by the array's path. */
  readonly #last = new Map<string, Path>();
  #position = 0;
  #repeated: Path | undefined;
  #elements = 0;

  constructor(readonly tokens: Path) {}

  read(): string | undefined {
    let table: Path = [];
    while (this.#repeated === undefined && this.#position < this.tokens.length) {
      if (this.#skip("\n")) continue;
      if (this.#skip("[")) table = this.#header();
      else this.#assignment(table);
    }
    return this.#repeated?.join(".");
  }

  /** `[a.b]` opens a table; `[[a.b]]` adds an element to an array, which may be repeated. */
  #header(): Path {
    const isElement = this.#skip("[");
    const key = this.#key("]");
    if (!isElement) {
      const table = this.#tableOf(key);
      this.#add(this.#tables, table);
      return table;
    }
    this.#skip("]");
    const path = [...this.#tableOf(key.slice(0, -1)), ...key.slice(-1)];
    const element = this.#element(path);
    this.#last.set(JSON.stringify(path), element);
    return element;
  }

  /** In headers, the name of an array of tables means the last of them. */
  #tableOf(key: Path): Path {
    return key.reduce<Path>((table, part) => {
      const path = [...table, part];
      return this.#last.get(JSON.stringify(path)) ?? path;
    }, []);
  }

  #assignment(table: Path): void {
    const key = this.#key("=");
    const path = [...table, ...key];
    this.#value(path);
    this.#add(this.#values, path);
    // A dotted key makes the tables before its last part, for other keys to share but for no header to open.
    key.slice(1).forEach((_, index) => {
      this.#tables.add(JSON.stringify(path.slice(0, table.length + index + 1)));
    });
  }

  /** Reads a key up to and including the token that ends it. */
  #key(end: string): Path {
    const from = this.#position;
    while (this.#position < this.tokens.length && !this.#skip(end)) this.#position++;
    return this.tokens.slice(from, this.#position - 1).filter((token) => token !== ".").map(
      unquoted,
    );
  }

  #value(path: Path): void {
    if (this.#skip("{")) this.#list("}", () => this.#assignment(path));
    else if (this.#skip("[")) this.#list("]", () => this.#value(this.#element(path)));
    else while (!END_OF_VALUE.test(this.tokens[this.#position] ?? "\n")) this.#position++;
  }

  #list(end: string, readItem: () => void): void {
    while (this.#position < this.tokens.length && !this.#skip(end)) {
      if (!this.#skip(",") && !this.#skip("\n")) readItem();
    }
  }

  #add(paths: Set<string>, path: Path): void {
    const isTaken = (part: Path) => this.#values.has(JSON.stringify(part));
    const isWithinValue = path.some((_, index) => isTaken(path.slice(0, index + 1)));
    if (isWithinValue || this.#tables.has(JSON.stringify(path))) this.#repeated ??= path;
    paths.add(JSON.stringify(path));
  }

  /** A path of its own for one more element of an array. */
  #element(path: Path): Path {
    return [...path, `[${this.#elements++}]`];
  }

  #skip(token: string): boolean {
    if (this.tokens[this.#position] !== token) return false;
    this.#position++;
    return true;
  }
}

function unquoted(token: string): string {
  return token.match(/^(["'])([^\\]*)\1$/)?.[2] ?? token;
}
