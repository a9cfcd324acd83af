/** The parser of TOML, which a call without a file to read does not load. */

export { parse } from "@std/toml/parse";
