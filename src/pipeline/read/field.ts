/** A value of an expanded job, read with checks: it is a stranger's input. */

import { refused } from "../../failure.ts";
import { printable } from "../../text/printable.ts";

/** A value, and where it is. */
export class Field {
  /**
   * Describes a value.
   *
   * @param place What the value belongs to, such as `job "build"`.
   * @param keys The keywords that lead to it.
   */
  constructor(
    readonly value: unknown,
    readonly place: string,
    readonly keys: readonly string[] = [],
  ) {}

  /** Whether the file does not set it, or sets it to null. */
  get isUnset(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** Whether it has keys. */
  get isMapping(): boolean {
    return typeof this.value === "object" && this.value !== null && !Array.isArray(this.value);
  }

  /** Returns the value of a key; unset where the mapping itself is. */
  get(key: string): Field {
    if (this.isUnset) return new Field(undefined, this.place, [...this.keys, key]);
    if (!this.isMapping) this.refuse("a mapping");
    const mapping = this.value as Record<string, unknown>;
    const value = Object.hasOwn(mapping, key) ? mapping[key] : undefined;
    return new Field(value, this.place, [...this.keys, key]);
  }

  /** Returns whether keys that lead into each other are set; also false where a value has no keys. */
  has(...[key, ...others]: readonly string[]): boolean {
    if (key === undefined) return !this.isUnset;
    return this.isMapping && this.get(key).has(...others);
  }

  /** Returns the keys of the mapping with their values. */
  entries(): [string, Field][] {
    if (this.isUnset) return [];
    if (!this.isMapping) this.refuse("a mapping");
    return Object.keys(this.value as object).map((key) => [key, this.get(key)]);
  }

  /** Returns the values of a list; a single value counts as a list. */
  items(): Field[] {
    if (this.isUnset) return [];
    const values = Array.isArray(this.value) ? this.value : [this.value];
    return values.map((value) => new Field(value, this.place, this.keys));
  }

  /** Returns the values of what has to be a list. */
  list(): unknown[] {
    return Array.isArray(this.value) ? this.value : this.refuse("a list");
  }

  /** Returns a text. A number or a boolean is the text of YAML for it. */
  text(): string {
    if (!/^(?:string|number|boolean)$/.test(typeof this.value)) this.refuse("a text");
    const text = String(this.value);
    // No variable, file or word of a command line can hold it.
    if (text.includes("\0")) this.refuse("a text without the character NUL");
    return text;
  }

  /** Returns a text without line breaks and what else controls a terminal. */
  line(): string {
    const text = this.text();
    if (/[\n\t]/.test(text) || printable(text) !== text) {
      this.refuse("a text without control characters");
    }
    return text;
  }

  /** Returns the texts of a list; a single text counts as a list. */
  texts(): string[] {
    return this.items().map((item) => item.text());
  }

  /** Returns true or false. */
  flag(standard: boolean): boolean {
    if (this.isUnset) return standard;
    if (typeof this.value !== "boolean") this.refuse("true or false");
    return this.value as boolean;
  }

  /** Returns a number that is neither negative nor a fraction. */
  count(standard: number): number {
    if (this.isUnset) return standard;
    if (!Number.isSafeInteger(this.value) || Number(this.value) < 0) this.refuse("a number");
    return Number(this.value);
  }

  /** Returns one of some words. */
  choice<T extends string>(words: readonly T[], standard: T): T {
    if (this.isUnset) return standard;
    const found = words.find((word) => word === this.value);
    return found ?? this.refuse(`one of: ${words.join(", ")}`);
  }

  /** Returns variables. */
  variables(): Record<string, string> {
    return Object.fromEntries(
      this.entries().map(([name, field]) => {
        if (!/^[A-Za-z_]\w*$/.test(name)) {
          this.refuse(`variables, and ${JSON.stringify(name)} is no name of one`);
        }
        return [name, field.isUnset ? "" : field.text()];
      }),
    );
  }

  /** Throws the failure of a value that is not what it must be. */
  refuse(expected: string): never {
    const keys = this.keys.length === 0 ? "" : `${this.keys.join(":")} `;
    throw refused(`Cannot read the pipeline: ${this.place}: ${keys}must be ${expected}`);
  }
}
