/** install.sh on this machine, with prefixes of the tests. */

import assert from "node:assert/strict";
import { PROGRAMS_OF_STAGES } from "../../src/host/installation.ts";
import {
  checkout,
  type Done,
  fetchDenort,
  install,
  listing,
  manifestOf,
  metadataOf,
  modesOf,
  modulesIn,
  NO_DENORT,
  run,
  versionOf,
  withPrefix,
} from "./installer.ts";

const ONE_LINE = /^install\.sh: Cannot [^\n]+\n$/;

Deno.test("install.sh installs a script with its own Deno where no denort fits", async () => {
  await withPrefix(async (parent) => {
    // Linux cuts off a first line after 255 bytes.
    const prefix = `${parent}/${"x".repeat(100)}`;
    const done = await install(["--prefix", prefix, "--no-deps"], NO_DENORT);
    assert.equal(done.code, 0, done.output);
    assert.match(done.stdout, /^No denort is available for this Deno: installing a script/m);
    await assertCacheIsFilled(prefix);
    await assertStarts(prefix);
    const [first, second] = (await Deno.readTextFile(`${prefix}/bin/nspawn-runner`)).split("\n");
    assert.equal(first, "#!/bin/sh");
    assert.equal(
      second,
      `":" //; export DENO_DIR=${prefix}/lib/nspawn-runner/cache DENO_NO_UPDATE_CHECK=1; ` +
        `exec ${prefix}/lib/nspawn-runner/deno run ` +
        "--v8-flags=--single-threaded,--no-lazy,--no-sparkplug,--min-semi-space-size=4 --ext=js --no-config --cached-only " +
        "--no-prompt --allow-read --allow-write --allow-env --allow-sys --allow-run " +
        '"$0" "$@"',
    );
    const modes = Object.entries(await modesOf(prefix));
    const parts = modes.filter(([name]) => PART.test(name));
    assert.deepEqual(parts.map(([, mode]) => mode), Array(8).fill("644 root"), `${parts}`);
    assert.deepEqual(Object.fromEntries(modes.filter(([name]) => !PART.test(name))), {
      "bin/nspawn-runner": "755 root",
      "lib/nspawn-runner/cache": "755 root",
      "lib/nspawn-runner/deno": "755 root",
      "lib/nspawn-runner/gitlab-ci-local.txt": "644 root",
      "lib/nspawn-runner/manifest": "644 root",
      ...Object.fromEntries(
        ["all", ...PROGRAMS_OF_STAGES].map((file) => [
          `lib/nspawn-runner/program/${file}.js`,
          "644 root",
        ]),
      ),
      ...await sharedFiles(),
    });
  });
});

Deno.test("install.sh installs an executable that cannot open a connection", async () => {
  const denort = await fetchDenort("install.sh installs an executable");
  if (denort === null) return;
  await withPrefix(async (prefix) => {
    const done = await install(["--prefix", prefix, "--no-deps"], denort);
    assert.equal(done.code, 0, done.output);
    assert.match(done.stdout, /^Installed .*, executable\)$/m);
    await assertStarts(prefix);
    assert.deepEqual(Object.keys(await modesOf(prefix)), [
      "bin/nspawn-runner",
      "lib/nspawn-runner/manifest",
      ...Object.keys(await sharedFiles()),
    ]);
    const data = await metadataOf(`${prefix}/bin/nspawn-runner`);
    // With a code cache it would read a file in /tmp.
    assert.equal(data["code_cache_key"], null);
    assert.deepEqual((data["v8_flags"] as readonly string[]).slice(-4), [
      "--single-threaded",
      "--max-lazy",
      "--no-sparkplug",
      "--min-semi-space-size=4",
    ]);
    const granted = data["permissions"] as Record<string, unknown>;
    for (const name of ["allow_net", "allow_ffi"]) assert.equal(granted[name], null, name);
    for (const name of ["read", "write", "env", "run", "sys"]) {
      assert.deepEqual(granted[`allow_${name}`], [], name);
    }
    assert.equal(granted["prompt"], false);
    // Deno looks for a module that is not in the executable below /tmp, where any user may put one.
    const { imported, contained } = await modulesIn(`${prefix}/bin/nspawn-runner`);
    assert.ok(imported.length > 20, `${imported}`);
    assert.deepEqual(imported.filter((name) => !contained.includes(name)), []);
  });
});

Deno.test("install.sh changes from one form to the other and back", async () => {
  const denort = await fetchDenort("install.sh changes from one form to the other and back");
  if (denort === null) return;
  await withPrefix(async (prefix) => {
    const options = ["--prefix", prefix, "--no-deps"];
    for (const environment of [NO_DENORT, denort, NO_DENORT]) {
      const done = await install(options, environment);
      assert.equal(done.code, 0, done.output);
      await assertStarts(prefix);
      const script = environment === NO_DENORT;
      const own = Object.keys(await modesOf(prefix)).includes("lib/nspawn-runner/deno");
      assert.equal(own, script);
    }
    const gone = await install(["--prefix", prefix, "--uninstall"]);
    assert.equal(gone.code, 0, gone.output);
    await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
  });
});

Deno.test("install.sh run twice gives the same, and does not change the checkout", async () => {
  await withPrefix(async (prefix) => {
    const before = await listing(checkout);
    const configuration = `${prefix}-config.toml`;
    await Deno.writeTextFile(configuration, `store = "${prefix}/store"\n`);
    const env = { ...NO_DENORT, NSPAWN_RUNNER_CONFIG: configuration };
    const first = await install(["--prefix", prefix, "--no-deps"], env);
    const manifest = await manifestOf(prefix);
    assert.match(first.stdout, /^ {2}\/.*\/bin\/nspawn-runner chroot-create helper\n$/m);
    await Deno.mkdir(`${prefix}/store/helper`, { recursive: true });
    const second = await install([`--prefix=${prefix}`, "--no-deps"], env);
    await Deno.remove(configuration);
    assert.deepEqual([first.code, second.code], [0, 0], first.output + second.output);
    assert.doesNotMatch(second.stdout, /helper/);
    assert.equal(await manifestOf(prefix), manifest);
    assert.deepEqual(await listing(checkout), before);
  });
});

/** Runs the rest of its words in a copy of /etc and with an empty /usr/local. */
const IN_COPIES = `
mount -t tmpfs tests /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work tests /etc
mount -t tmpfs tests /usr/local
exec "$@"`;

/** Installs the checkout $0, prints where fish finds its completion, and removes the program again. */
const INSTALL_FOR_FISH = `
"$0/install.sh" --no-deps >&2
ls /etc/fish/completions/nspawn-runner.fish
"$0/install.sh" --uninstall >&2
find /usr/local -mindepth 1
find /etc/fish -name nspawn-runner.fish`;

Deno.test("install.sh installs the completion of fish where fish looks for it, and removes it", async () => {
  const script = ["sh", "-euc", INSTALL_FOR_FISH, checkout];
  const done = await run(["unshare", "--mount", "sh", "-euc", IN_COPIES, "sh", ...script], {
    env: { ...NO_DENORT, NSPAWN_RUNNER_CONFIG: "/dev/null" },
    cwd: "/",
  });
  assert.equal(done.stdout, "/etc/fish/completions/nspawn-runner.fish\n", done.stderr);
});

Deno.test("install.sh removes files that only an earlier version had, and no others", async () => {
  await withPrefix(async (prefix) => {
    const options = ["--prefix", prefix, "--no-deps"];
    const first = await install(options, NO_DENORT);
    assert.equal(first.code, 0, first.output);
    const manifest = `${prefix}/lib/nspawn-runner/manifest`;
    for (const name of ["old", "others"]) await Deno.writeTextFile(`${prefix}/share/${name}`, "");
    const programs = Object.keys(await modesOf(prefix)).filter((name) => name.endsWith(".js"));
    for (const name of ["run-rare-00000000.js", "chunk-OLDEROLD.js"]) {
      await Deno.writeTextFile(`${prefix}/lib/nspawn-runner/program/${name}`, "");
    }
    const text = await manifestOf(prefix);
    await Deno.writeTextFile(manifest, `file  ${prefix}/share/old\n${text}`);
    const second = await install(options, NO_DENORT);
    assert.equal(second.code, 0, second.output);
    assert.equal(await manifestOf(prefix), text);
    assert.deepEqual(
      Object.keys(await modesOf(prefix)).filter((name) => name.endsWith(".js")),
      programs,
    );
    const entries = await Array.fromAsync(Deno.readDir(`${prefix}/share`));
    assert.deepEqual(entries.filter(({ isFile }) => isFile).map(({ name }) => name), ["others"]);
  });
});

Deno.test("install.sh puts the files of a package below DESTDIR, and changes nothing else", async () => {
  await withPrefix(async (prefix) => {
    const env = { ...NO_DENORT, DESTDIR: prefix };
    const done = await install(["--prefix", "/opt/nr", "--timers"], env);
    assert.equal(done.code, 0, done.output);
    assert.match(done.stdout, /^Built \/opt\/nr\/bin\/nspawn-runner \(/m);
    assert.ok(!done.stdout.includes(prefix), "nothing is installed there");
    const manual = await Deno.readTextFile(
      `${prefix}/opt/nr/share/man/man5/nspawn-runner.toml.5`,
    );
    assert.match(manual, /^#:schema \/opt\/nr\/share\//m);
    const program = `${prefix}/opt/nr/bin/nspawn-runner`;
    const [, line = ""] = (await Deno.readTextFile(program)).split("\n");
    assert.match(
      line,
      / DENO_DIR=\/opt\/nr\/lib\/nspawn-runner\/cache .* \/opt\/nr\/lib\/.*\/deno run /,
    );
    const units = `${prefix}/opt/nr/lib/systemd/system`;
    const service = await Deno.readTextFile(`${units}/nspawn-runner-gc.service`);
    assert.match(service, /^ExecStart=\/opt\/nr\/bin\/nspawn-runner gc$/m);
    // A package manager owns only what does not change; the package's scripts fill the code cache.
    await assert.rejects(
      Deno.stat(`${prefix}/opt/nr/lib/nspawn-runner/cache`),
      Deno.errors.NotFound,
    );
    await assert.rejects(Deno.stat("/opt/nr"), Deno.errors.NotFound);
    const gone = await install(["--uninstall"], env);
    assert.equal(gone.code, 1, gone.output);
    assert.match(gone.stderr, ONE_LINE);
  });
});

Deno.test("install.sh --uninstall removes what was installed and nothing else", async () => {
  await withPrefix(async (prefix) => {
    await Deno.mkdir(`${prefix}/bin`, { recursive: true });
    await Deno.writeTextFile(`${prefix}/bin/other`, "mine");
    const before = await listing(prefix);
    const done = await install(["--prefix", prefix, "--no-deps"], NO_DENORT);
    assert.equal(done.code, 0, done.output);
    const gone = await install(["--uninstall", "--prefix", prefix]);
    assert.equal(gone.code, 0, gone.output);
    assert.deepEqual(await listing(prefix), before);
    const again = await install(["--uninstall", "--prefix", prefix]);
    assert.equal(again.code, 0);
    assert.equal(again.stdout, `nspawn-runner is not installed in ${prefix}\n`);
  });
});

/** Hides this machine's store and runners. */
const ON_NEW_HOST = [
  ...["unshare", "--mount", "sh", "-euc"],
  'for path in /var/lib /etc/gitlab-runner; do [ ! -e "$path" ] || mount -t tmpfs tests "$path"; done; exec "$@"',
  "sh",
];

/** Hides nftables in addition. */
const WITHOUT_NFT = [
  ...ON_NEW_HOST,
  ...[
    "sh",
    "-euc",
    'mount --bind /bin/false "$(readlink -f "$(command -v nft)")"; exec "$@"',
    "sh",
  ],
];

Deno.test("install.sh writes no configuration where machines cannot have networks of their own", async () => {
  await withPrefix(async (prefix) => {
    const configuration = `${prefix}/etc/config.toml`;
    const env = { ...NO_DENORT, NSPAWN_RUNNER_CONFIG: configuration };
    const done = await install(["--prefix", prefix, "--no-deps"], env, undefined, WITHOUT_NFT);
    assert.equal(done.code, 0, done.output);
    // Installed first, the program of an installation that is killed would keep the default, "auto".
    assert.match(
      done.stdout,
      /^Wrote no .*: machines cannot have networks of their own here\.[^]*^Installed /m,
    );
    await assert.rejects(Deno.stat(configuration), Deno.errors.NotFound);
  });
});

Deno.test("install.sh writes no configuration where the store has chroots", async () => {
  await withPrefix(async (prefix) => {
    const configuration = `${prefix}/etc/config.toml`;
    const env = { ...NO_DENORT, NSPAWN_RUNNER_CONFIG: configuration };
    const withChroot = 'mkdir -p /var/lib/nspawn-runner/bookworm && exec "$@"';
    const as = [...ON_NEW_HOST, "sh", "-euc", withChroot, "sh"];
    const done = await install(["--prefix", prefix, "--no-deps"], env, undefined, as);
    assert.equal(done.code, 0, done.output);
    assert.doesNotMatch(done.output, /^Wrote /m);
    await assert.rejects(Deno.stat(configuration), Deno.errors.NotFound);
  });
});

Deno.test("install.sh keeps another program of the same name", async () => {
  await withPrefix(async (prefix) => {
    await Deno.mkdir(`${prefix}/bin`, { recursive: true });
    await Deno.writeTextFile(`${prefix}/bin/nspawn-runner`, "the Python one");
    const options = ["--prefix", prefix, "--no-deps"];
    const configuration = `${prefix}/config.toml`;
    const env = { ...NO_DENORT, NSPAWN_RUNNER_CONFIG: configuration };
    const done = await install(options, env, undefined, ON_NEW_HOST);
    assert.equal(done.code, 0, done.output);
    assert.doesNotMatch(done.output, /^Wrote /m);
    await assert.rejects(Deno.stat(configuration), Deno.errors.NotFound);
    await assertStarts(prefix);
    const kept = await Deno.readTextFile(`${prefix}/bin/nspawn-runner.before`);
    assert.equal(kept, "the Python one");

    await Deno.writeTextFile(`${prefix}/bin/nspawn-runner`, "changed since");
    const gone = await install(["--uninstall", "--prefix", prefix]);
    assert.equal(gone.code, 0, gone.output);
    assert.match(
      gone.stdout,
      /^Kept .*\/bin\/nspawn-runner: it was changed after the installation$/m,
    );
    const left = await Deno.readTextFile(`${prefix}/bin/nspawn-runner`);
    assert.equal(left, "changed since");
  });
});

Deno.test("an interrupted install.sh leaves nothing", async () => {
  await withPrefix(async (prefix) => {
    const done = await install(["--prefix", prefix, "--no-deps"], NO_DENORT, "Building");
    assert.notEqual(done.code, 0);
    await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
  });
});

Deno.test("install.sh that is ended while it installs leaves a configuration and its program, or neither", async () => {
  await withPrefix(async (prefix) => {
    const configuration = `${prefix}.toml`;
    const env = { ...NO_DENORT, NSPAWN_RUNNER_CONFIG: configuration };
    const exists = async (path: string) => await Deno.stat(path).then(() => true, () => false);
    try {
      const done = await install(["--prefix", prefix, "--no-deps"], env, "Wrote /", ON_NEW_HOST);
      assert.match(done.stdout, /^Wrote \/.*: each machine has a private network$/m);
      const isInstalled = await exists(`${prefix}/bin/nspawn-runner`);
      assert.equal(await exists(configuration), isInstalled, done.output);
    } finally {
      await Deno.remove(configuration).catch(() => {});
    }
  });
});

/** The installer's lock. */
const LOCK = "/run/nspawn-runner-install.lock";
const AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

Deno.test("install.sh cannot be blocked by a user's lock", async () => {
  await withPrefix(async (prefix) => {
    await Deno.mkdir(`${prefix}/lib/nspawn-runner`, { recursive: true });
    const [program, ...args] = [...AS_USER, "flock", `${prefix}/lib/nspawn-runner`, "cat"];
    const user = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" }).spawn();
    const writer = user.stdin.getWriter();
    await writer.write(new TextEncoder().encode("locked"));
    const reader = user.stdout.getReader();
    await reader.read();
    const done = await install(["--prefix", prefix, "--no-deps"], NO_DENORT, "Building");
    await writer.close();
    await reader.cancel();
    await user.status;
    assert.match(done.stdout, /^Building /m, done.output);
    const denied = await run([...AS_USER, "flock", "--nonblock", LOCK, "true"]);
    assert.match(denied.stderr, /Permission denied/);
  });
});

Deno.test("install.sh refuses to run twice at once", async () => {
  await withPrefix(async (prefix) => {
    const words = ["--prefix", prefix, "--no-deps"];
    const done = await install(words, NO_DENORT, undefined, ["flock", "--no-fork", LOCK]);
    assert.equal(done.code, 1, done.output);
    assert.match(done.stderr, /^install\.sh: Cannot install: another installation is running/);
    await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
  });
});

Deno.test("install.sh gives its lock to no process that outlives it", async () => {
  await withPrefix(async (prefix) => {
    await Deno.mkdir(`${prefix}/lib/nspawn-runner`, { recursive: true });
    const deno = `${prefix}/deno`; // leaves a process, as the installation of a daemon's package does
    const real = Deno.env.get("DENO") ?? Deno.execPath();
    const daemon = `sleep 60 >/dev/null 2>&1 & echo $! >>${prefix}/daemons`;
    await Deno.writeTextFile(deno, `#!/bin/sh\n${daemon}\nexec ${real} "$@"\n`, { mode: 0o755 });
    const words = ["--prefix", prefix, "--no-deps"];
    const first = await install(words, { DENO: deno }, "Building");
    const second = await install(words, NO_DENORT, "Building");
    const daemons = (await Deno.readTextFile(`${prefix}/daemons`)).trim().split("\n");
    for (const pid of daemons) Deno.kill(Number(pid), "SIGKILL");
    assert.match(first.stdout, /^Building /m, first.output);
    assert.match(second.stdout, /^Building /m, second.output);
  });
});

Deno.test("install.sh leaves out what reads pipelines where npm does not answer", async () => {
  await withPrefix(async (prefix) => {
    await Deno.mkdir(prefix, { recursive: true });
    const deno = `${prefix}/deno`;
    const real = Deno.env.get("DENO") ?? Deno.execPath();
    const offline = 'case "$*" in *write_gitlab_ci_local*) exit 1 ;; esac';
    await Deno.writeTextFile(deno, `#!/bin/sh\n${offline}\nexec ${real} "$@"\n`, { mode: 0o755 });
    const done = await install(["--prefix", prefix, "--no-deps"], { ...NO_DENORT, DENO: deno });
    assert.equal(done.code, 0, done.output);
    assert.match(done.stdout, /^npm does not answer: .*pipeline/m);
    await assertStarts(prefix);
    await assert.rejects(Deno.stat(`${prefix}/lib/nspawn-runner/gitlab-ci-local.txt`));
  });
});

Deno.test("install.sh refuses in one line, with a reason", async () => {
  await withPrefix(async (prefix) => {
    const options = ["--prefix", prefix, "--no-deps"];
    const refusals: [() => Promise<Done>, RegExp][] = [
      [() => install(["--prefix", `${prefix}/a b`, "--no-deps"]), /only letters, digits/],
      [() => install(options, { DENO: "/bin/true" }), /DENO=\/bin\/true/],
      [() => install(options, { NSPAWN_RUNNER_ROUTE: "pigeon" }), /must be jsr or npm/],
      [
        () => install(options, { DENO_DIR: `${prefix}.d`, ...NO_NETWORK }),
        /Check that this network/,
      ],
      [() => asNobody(options), /needs root/],
      [() => withoutMounting([...options, "--try"]), /can run here: root may not mount/],
    ];
    for (const [refused, reason] of refusals) {
      const done = await refused();
      assert.equal(done.code, 1, done.output);
      assert.match(done.stderr, ONE_LINE);
      assert.match(done.stderr, reason);
    }
    await assert.rejects(Deno.stat(prefix), Deno.errors.NotFound);
    await Deno.remove(`${prefix}.d`, { recursive: true });
  });
});

Deno.test("install.sh exits with 2 and its usage for a wrong command line", async () => {
  const usage = (await install(["--help"])).stdout;
  assert.match(usage, /^Usage: sudo \.\/install\.sh /);
  for (const words of [["--bogus"], ["--prefix"], ["--prefix="], ["word"]]) {
    const done = await install(words);
    assert.equal(done.code, 2);
    const [line, ...rest] = done.stderr.split("\n");
    assert.match(line ?? "", /^install\.sh: /);
    assert.equal(rest.join("\n"), usage);
  }
});

/** A file with a part of a program. */
const PART = /^lib\/nspawn-runner\/program\/(?:chunk-[A-Z0-9]{8}|[a-z-]+-rare-[0-9a-f]{8})\.js$/;

/** A proxy that does not answer. */
const NO_NETWORK = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" };

/** Returns the files of share/, such as man pages, with the mode and owner that they get. */
async function sharedFiles(): Promise<Record<string, string>> {
  const done = await run(["find", "share", "-type", "f"], { cwd: checkout });
  const files = done.stdout.trim().split("\n").sort();
  assert.ok(files.length > 1, done.output);
  return Object.fromEntries(files.map((file) => [file, "644 root"]));
}

/** Checks that the program prints its version: by its path, by a symlink, without environment, as a user. */
/** The first call has the compiled code of the program and of Deno, which only root can have written. */
async function assertCacheIsFilled(prefix: string): Promise<void> {
  const cache = `${prefix}/lib/nspawn-runner/cache`;
  const program = `file://${prefix}/lib/nspawn-runner/program`;
  const parts = [`${program}/all.js`, `${program}/run.js`, `${program}/prepare-rare-`];
  for (const part of [...parts, "ext:deno_process/"]) {
    const cached = await run(["grep", "-rlaF", part, cache]);
    assert.match(cached.stdout, /code_cache/, part);
  }
  const journal = await run(["find", cache, "-name", "*code_cache*-wal", "-printf", "%s"]);
  assert.ok(
    Number(journal.stdout) < 10_000,
    `each start reads a journal of ${journal.stdout} bytes`,
  );
  const writable = await run([
    "find",
    cache,
    "!",
    "-type",
    "l",
    "(",
    "-perm",
    "/022",
    "-o",
    "!",
    "-uid",
    "0",
    ")",
  ]);
  assert.equal(writable.output, "");
}

async function assertStarts(prefix: string): Promise<void> {
  const program = `${prefix}/bin/nspawn-runner`;
  const link = `${prefix}/link`;
  await Deno.symlink(program, link);
  const calls = [
    [program],
    ["env", "-i", program],
    ["env", "-i", link],
    [...AS_USER, program],
  ];
  for (const call of calls) {
    const done = await run([...call, "--version"], { cwd: "/" });
    assert.equal(done.output, `nspawn-runner ${await versionOf()}\n`, call.join(" "));
    assert.equal(done.code, 0);
  }
  const toml = await run([link, "toml"], { cwd: "/" });
  assert.ok(toml.stdout.includes(`run_exec = "${program}"`), toml.output);
  await assertRegisters(link, program);
  await assertManPages(prefix);
  await Deno.remove(link);
}

/** Checks that man(1) finds the pages of a program by PATH. */
async function assertManPages(prefix: string): Promise<void> {
  const env = { PATH: `${prefix}/bin:${Deno.env.get("PATH")}` };
  for (const page of ["man1/nspawn-runner.1", "man5/nspawn-runner.toml.5"]) {
    const name = page.replace(/^man.\/|\..$/g, "");
    const done = await run(["man", "--where", name], { env });
    assert.equal(done.output, `${prefix}/share/man/${page}\n`);
  }
}

/** Checks that a program registers itself with a stand-in for gitlab-runner. */
async function assertRegisters(link: string, program: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${checkout}/tests/hosts/gitlab_runner.sh`, `${folder}/gitlab-runner`);
    await Deno.writeTextFile(`${folder}/token`, "glrt-right\n");
    const env = {
      PATH: `${folder}:${Deno.env.get("PATH")}`,
      CONFIG_FILE: `${folder}/config.toml`,
      NSPAWN_RUNNER_CONFIG: "/dev/null",
    };
    const options = ["--url", "https://g.example", "--token-file", `${folder}/token`];
    const done = await run([link, "register", ...options], { cwd: "/", env });
    assert.equal(done.code, 0, done.output);
    const written = await Deno.readTextFile(env.CONFIG_FILE);
    assert.ok(written.includes(`run_exec = "${program}"`), written);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a copy of the installer: the user nobody cannot read a checkout in root's home. */
async function asNobody(words: string[]): Promise<Done> {
  const copy = await Deno.makeTempDir();
  try {
    await Deno.chmod(copy, 0o755);
    await run(["cp", "-r", `${checkout}/install.sh`, `${checkout}/npm`, copy]);
    return await run([...AS_USER, `${copy}/install.sh`, ...words], { cwd: "/" });
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

function withoutMounting(words: string[]): Promise<Done> {
  return install(words, {}, undefined, ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all"]);
}
