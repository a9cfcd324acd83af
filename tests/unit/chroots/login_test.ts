import assert from "node:assert/strict";
import { logIn, loginArgv } from "../../../src/chroots/login.ts";
import { isMachineName } from "../../../src/machines/name.ts";
import { machine, named, withStore } from "./fixture.ts";

const chroot = (name: string) => ({ name: named(name), path: `/store/${name}`, own: [] });

Deno.test("loginArgv() makes a valid machine name of any chroot's", () => {
  for (const name of ["bookworm", "a_b", "a-", "x.y", "a".repeat(64), "a_.-_", "9"]) {
    const argv = loginArgv(chroot(name), true, true);
    const machine = argv.find((word) => word.startsWith("--machine="))?.slice("--machine=".length);
    assert.ok(isMachineName(machine ?? ""), machine);
  }
});

Deno.test("loginArgv() hands on a terminal, and registers where there is somebody", () => {
  const [terminal, pipe] = [
    loginArgv(chroot("x"), true, true),
    loginArgv(chroot("x"), false, false),
  ];
  assert.ok(terminal.includes("--console=interactive") && !terminal.includes("--register=no"));
  assert.ok(pipe.includes("--console=pipe") && pipe.includes("--register=no"));
  assert.ok(!terminal.includes("--boot"));
});

Deno.test("logIn() ends as the shell does, on our own streams, and forgets its handlers", () =>
  withStore(async ({ work: { host, config, users }, processes, handlers }) => {
    const ending = await logIn(host, config.store, chroot("x"), users);
    assert.deepEqual(ending, { kind: "exited", code: 7 });
    const [{ argv, options } = { argv: [""], options: {} }] = processes;
    assert.equal(argv[0], "systemd-nspawn");
    assert.ok("stdin" in options && options.stdin === "inherit");
    assert.equal(options.env?.["TERM"], "xterm");
    assert.equal(handlers(), 0);
  }, { tool: () => ({ code: 7 }), env: { TERM: "xterm" } }));

Deno.test("logIn() refuses while jobs read the tree, and not when they have copies", () =>
  withStore(async ({ work: { host, config, users: ask }, users, processes }) => {
    users.push(machine("x", "overlay", "2029-01-01T00:00:00.000Z"));
    await assert.rejects(logIn(host, config.store, chroot("x"), ask), {
      message: "Cannot log in to chroot x: in use by run-1",
    });
    assert.equal(processes.length, 0);
    users.splice(0, 1, machine("x", "btrfs", "2029-01-01T00:00:00.000Z"));
    await logIn(host, config.store, chroot("x"), ask);
    assert.equal(processes.length, 1);
  }));
