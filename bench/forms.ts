/** The installed program in both forms, each with an empty program of the same form. */

import { must, run } from "../tests/hosts/command.ts";
import type { Form } from "./options.ts";

const checkout = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Both forms, or why there is only the script. */
export interface Forms {
  readonly forms: readonly Form[];
  readonly notes: readonly string[];
}

/**
 * Installs the program in each form.
 *
 * @param folder For the prefixes.
 * @param onlyScript Whether the executable is not needed.
 */
export async function installForms(folder: string, onlyScript: boolean): Promise<Forms> {
  const script = await installScript(`${folder}/s`);
  if (onlyScript) return { forms: [script], notes: [] };
  const executable = await installExecutable(folder);
  return typeof executable === "string"
    ? { forms: [script], notes: [`The executable is not measured: ${executable}`] }
    : { forms: [script, executable], notes: [] };
}

async function installScript(prefix: string): Promise<Form> {
  // No executable that is built with this denort starts.
  const program = await install(prefix, { DENORT_BIN: "/bin/false" });
  const [lines = ""] = (await Deno.readTextFile(program)).match(/^#!.*\n.*\n/) ?? [];
  await Deno.writeTextFile(`${prefix}/empty`, lines, { mode: 0o755 });
  return { name: "script", program, empty: `${prefix}/empty` };
}

/** Returns the reason where there is none. */
async function installExecutable(folder: string): Promise<Form | string> {
  const prefix = `${folder}/x`;
  const own = await fitting(`${prefix}1`, {});
  if (own !== null) return own;
  const tools = "/var/cache/nspawn-runner-tests/denort-2.6.10";
  const { code, stderr } = await run(["python3", `${checkout}/tests/denort.py`, tools], {
    env: Deno.env.toObject(),
  });
  if (code !== 0) return `no denort: ${stderr.trim().split("\n").at(-1)}`;
  const found = await fitting(`${prefix}2`, {
    DENO: `${tools}/deno`,
    DENORT_BIN: `${tools}/denort`,
  });
  return found ?? "no denort fits";
}

/** Returns the executable, or null where the result of the installation is a script. */
async function fitting(prefix: string, env: Record<string, string>): Promise<Form | null> {
  const program = await install(prefix, env);
  if ((await startOf(program)).startsWith("#!")) {
    await Deno.remove(prefix, { recursive: true });
    return null;
  }
  await Deno.writeTextFile(`${prefix}/empty.js`, "");
  const deno = env["DENO"] ?? Deno.execPath();
  await must(
    [
      ...[deno, "compile", "--no-config", "--no-code-cache"],
      "--v8-flags=--single-threaded,--max-lazy,--no-sparkplug,--min-semi-space-size=4",
      "--no-prompt",
      ...["--allow-read", "--allow-write", "--allow-env", "--allow-run", "--allow-sys"],
      ...["-o", `${prefix}/empty`, `${prefix}/empty.js`],
    ],
    { env: { ...Deno.env.toObject(), ...env }, timeout: 300_000 },
  );
  return { name: "executable", program, empty: `${prefix}/empty` };
}

async function install(prefix: string, env: Record<string, string>): Promise<string> {
  await must([`${checkout}/install.sh`, "--prefix", prefix, "--no-deps"], {
    env: {
      ...Deno.env.toObject(),
      DENO: Deno.execPath(),
      NSPAWN_RUNNER_CONFIG: "/dev/null", // this machine gets no configuration
      ...env,
    },
    timeout: 900_000,
  });
  return `${prefix}/bin/nspawn-runner`;
}

async function startOf(path: string): Promise<string> {
  using file = await Deno.open(path);
  const start = new Uint8Array(256);
  await file.read(start);
  return new TextDecoder().decode(start);
}
