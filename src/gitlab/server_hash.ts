import { sha256 } from "../text/hash.ts";

/** Returns 32 hexadecimal digits that stand for a server: so many that no server can be chosen to have the same. */
export async function serverHash(server: string): Promise<string> {
  return (await sha256(server)).slice(0, 32);
}
