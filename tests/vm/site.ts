/** The program in a virtual machine, which all tests share. */

import assert from "node:assert/strict";
import type { Options, Result } from "../hosts/command.ts";
import { type Installed, installed } from "../hosts/installed.ts";
import { until } from "../hosts/init_process.ts";
import { CHROOT, newJob } from "../hosts/site.ts";
import { skip } from "../skip.ts";
import { noGuestBecause } from "./image.ts";
import { up, type VirtualMachine } from "./machine.ts";

/** A host with a chroot in the default store and no configuration. */
export interface VmSite {
  readonly vm: VirtualMachine;
  /** Runs the program. */
  call(words: readonly string[], options?: Options): Promise<Result>;
  /** Runs a shell script on the host, which must succeed; returns its stdout. */
  host(script: string): Promise<string>;
  /** Writes the chroot's definition. */
  define(text: string): Promise<void>;
  /** Runs a test with a machine, by default of the chroot, which is removed afterwards. */
  withMachine(body: (id: string) => Promise<void>, image?: string): Promise<void>;
  /** Runs a script in a machine. */
  runScript(id: string, script: string): Promise<Result>;
  /** Returns everything on the host that belongs to machines, one line each, after a time in which it may end. */
  leftovers(): Promise<string[]>;
}

/** Longest time that removals of `cleanup` take in the background of an emulated machine, in milliseconds. */
const REMOVAL_PATIENCE = 300_000;

let site: Promise<VmSite> | undefined;

/** Registers a test that needs a virtual machine. It fails if it leaves anything behind. */
export function onVm(name: string, body: (site: VmSite) => Promise<void>): void {
  const full = `${name} (virtual machine)`;
  Deno.test(full, async () => {
    const reason = await noGuestBecause();
    if (reason !== null) return skip(full, reason);
    const own = await (site ??= open());
    try {
      await body(own);
      assert.deepEqual(await own.leftovers(), []);
    } catch (error) {
      // The next test gets a fresh one, without the leftovers of this test.
      site = undefined;
      await own.vm.down();
      throw error;
    }
  });
}

async function open(): Promise<VmSite> {
  const installation = await installed();
  return siteOn(await up(installation.prefix), installation);
}

function siteOn(vm: VirtualMachine, { prefix, program }: Installed): VmSite {
  const call = (words: readonly string[], options?: Options) =>
    vm.exec([program, ...words], options);
  const host = async (script: string) => {
    const done = await vm.exec(["sh", "-e"], { stdin: script });
    assert.equal(done.code, 0, `${script}\n${done.stderr}`);
    return done.stdout;
  };
  return {
    vm,
    call,
    host,
    define: (text) => vm.push(text, `/etc/nspawn-runner/${CHROOT}.toml`),
    withMachine: async (body, image = CHROOT) => {
      const id = newJob();
      const prepared = await call(["prepare", image, "--id", id]);
      try {
        assert.equal(prepared.code, 0, prepared.stderr);
        await body(id);
      } catch (error) {
        await call(["cleanup", "--id", id]); // its own failure must not hide the first one
        throw error;
      }
      const gone = await call(["cleanup", "--id", id]);
      assert.equal(gone.code, 0, gone.stderr);
    },
    runScript: async (id, script) => {
      await vm.push(script, "/root/script");
      return await call(["run", "--id", id, "/root/script", "step_script"]);
    },
    leftovers: async () => {
      const list = await Deno.readTextFile(new URL("../leftovers.sh", import.meta.url));
      let found: string[] = [];
      await until(async () => {
        const lines = (await host(`${list}\nlist_ours nothing-of-this-run`)).split("\n");
        found = lines.filter((line) => line !== "" && line !== `mount ${prefix}`);
        return found.length === 0 ? true : null;
      }, REMOVAL_PATIENCE);
      return found;
    },
  };
}

Deno.test.afterAll(async () => {
  await site?.then(({ vm }) => vm.down(), () => {}); // one that did not start is already down
});
