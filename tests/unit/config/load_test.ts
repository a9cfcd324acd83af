import assert from "node:assert/strict";
import { loadConfig, parseDefinition, settingsFor } from "../../../src/config/load.ts";
import type { Config, ConfigSettings } from "../../../src/config/settings.ts";
import { Failure } from "../../../src/failure.ts";
import type { Host } from "../../../src/host/host.ts";

/** Returns a host that has these files and variables only. */
function hostWith(files: Record<string, string>, env: Record<string, string> = {}): Host {
  return {
    files: {
      read: (path: string) => Promise.resolve(files[path] ?? null),
      real: (path: string) => Promise.resolve(path === "/linked" ? "/real" : null),
    },
    env: (name: string) => env[name],
  } as unknown as Host;
}

const FILE = "/c.toml";

function load(text: string): Promise<Config> {
  return loadConfig(hostWith({ [FILE]: text }), FILE);
}

/** Returns the error about a wrong file, as `message | hint`. */
async function complaint(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(() => assert.fail("accepted"), (error: unknown) => error);
  assert.ok(error instanceof Failure, `a bug, not a failure: ${error}`);
  assert.equal(error.kind, "refused");
  return `${error.message} | ${error.hint}`;
}

const DEFAULTS: ConfigSettings = {
  overrides: {
    memory_max: undefined,
    cpu_quota: undefined,
    tasks_max: undefined,
    disk_max: undefined,
    boot: undefined,
    network: undefined,
    services_required: undefined,
  },
  service_limits: {
    cpu_weight: undefined,
    memory_high: undefined,
    memory_max: undefined,
    swap_max: undefined,
    cpu_quota: undefined,
    io_weight: undefined,
    tasks_max: undefined,
    disk_max: undefined,
  },
  allowed_services: ["**"],
  services_limit: 50,
  services_required: false,
  wait_for_services_timeout: 30,
  limits_shared: false,
  services: [],
  store: "/var/lib/nspawn-runner",
  definitions: "/etc/nspawn-runner",
  default_image: undefined,
  allowed_images: ["*"],
  pull: [],
  pull_policy: ["always"],
  allowed_pull_policies: undefined,
  helper: "helper",
  trust_images: false,
  deadline: 86_400,
  keep_failed: undefined,
  gitlab_runner: undefined,
  persistent_builds: false,
  cache_max_size: Infinity,
  cache_max_age: 2_592_000,
  images_max_size: Infinity,
  images_max_age: 30 * 86_400,
  history_max_size: 256 * 2 ** 20,
  history_max_age: 90 * 86_400,
  storage: "auto",
  tmp: "storage",
  boot: true,
  user: undefined,
  private_users: "auto",
  network: "auto",
  network_range: "10.231.0.0/19",
  network_deny: [],
  network_allow: [],
  extra_hosts: [],
  binds: undefined,
  keep_generations: 2,
  disk_reserve: 268_435_456,
  shell: "bash",
  seccomp: true,
  capabilities: undefined,
  devices: undefined,
  syscalls: undefined,
  nesting: false,
  prepare_timeout: 120,
  mirror: undefined,
  tool: "auto",
  limits: {
    cpu_weight: 50,
    memory_high: "80%",
    memory_max: "infinity",
    swap_max: "infinity",
    cpu_quota: "infinity",
    io_weight: 50,
    tasks_max: "16384",
    disk_max: "infinity",
  },
};

Deno.test("loadConfig() returns the defaults if there is no file", async () => {
  const file = "/etc/nspawn-runner/config.toml";
  assert.deepEqual(await loadConfig(hostWith({}), undefined), { ...DEFAULTS, file });
});

Deno.test("loadConfig() returns the defaults for a file without settings", async () => {
  for (const text of ["", "\n", "# nothing\n  # set\n", "\uFEFF", "[limits]\n"]) {
    assert.deepEqual(await load(text), { ...DEFAULTS, file: FILE });
  }
});

Deno.test("loadConfig() takes --config, then the variable, then the default file", async () => {
  const defaultFile = "/etc/nspawn-runner/config.toml";
  const files = { "/a": 'shell = "a"', "/b": 'shell = "b"', [defaultFile]: 'shell = "c"' };
  const env = { NSPAWN_RUNNER_CONFIG: "/b" };
  assert.equal((await loadConfig(hostWith(files, env), "/a")).shell, "a");
  assert.equal((await loadConfig(hostWith(files, env), undefined)).shell, "b");
  assert.equal((await loadConfig(hostWith(files), undefined)).shell, "c");
  const empty = hostWith(files, { NSPAWN_RUNNER_CONFIG: "" });
  assert.equal((await loadConfig(empty, undefined)).shell, "c");
});

Deno.test("loadConfig() gives a store one path, however the configuration leads to it", async () => {
  for (const [path, store] of [["/linked", "/real"], ["/linked/a/b", "/real/a/b"], ["/x", "/x"]]) {
    assert.equal((await load(`store = "${path}"`)).store, store);
  }
});

Deno.test("loadConfig() keeps the absolute path of its file", async () => {
  const host = hostWith({ "linked": "", "/linked": "" }, { NSPAWN_RUNNER_CONFIG: "linked" });
  const real = (path: string) => Promise.resolve(path === "linked" ? "/here/linked" : null);
  const relative = { ...host, files: { ...host.files, real } };
  assert.equal((await loadConfig(relative, undefined)).file, "/here/linked");
  assert.equal((await loadConfig(host, "/linked")).file, "/linked");
});

Deno.test("loadConfig() refuses a file that was asked for and is missing", async () => {
  assert.equal(
    await complaint(loadConfig(hostWith({}), "/none")),
    "Cannot read configuration /none: no such file | Create it, or leave out --config",
  );
  const env = { NSPAWN_RUNNER_CONFIG: "/none" };
  assert.match(await complaint(loadConfig(hostWith({}, env), undefined)), /NSPAWN_RUNNER_CONFIG$/);
});

Deno.test("loadConfig() refuses a file that cannot be read", async () => {
  const host = {
    files: { read: () => Promise.reject(new Error("Is a directory")) },
    env: () => undefined,
  } as unknown as Host;
  assert.match(
    await complaint(loadConfig(host, undefined)),
    /^Cannot read configuration \/etc\/nspawn-runner\/config.toml: Is a directory/,
  );
});

Deno.test("loadConfig() takes every key", async () => {
  const config = await load(`
    store = "/srv/ci"
    definitions = "/etc/ci"   # ours
    default_image = "registry.example:5000/ci/debian:bookworm"
    allowed_images = ["debian-*", "book[a-z]orm"]
    pull = ["docker.io/library/*", "!**/kali*"]
    pull_policy = "if-not-present"
    allowed_pull_policies = ["always", "never"]
    helper = "tools"
    allowed_services = ["docker.io/library/*"]
    services_limit = 4
    services_required = true
    wait_for_services_timeout = "2min"
    limits_shared = true
    trust_images = true
    deadline = "2h"
    keep_failed = "30min"
    gitlab_runner = "/opt/gitlab-runner"
    persistent_builds = true
    cache_max_size = "20G"
    cache_max_age = "7d"
    images_max_size = "50G"
    images_max_age = "14d"
    history_max_size = "1G"
    history_max_age = "365d"
    keep_generations = 5
    disk_reserve = "2G"
    user = 1000
    extra_hosts = ["gitlab.lan:192.0.2.10"]
    binds = ["/srv/data:/data:ro"]
    private_users = "off"
    network = "private"
    network_range = "10.9.0.0/24"
    network_deny = ["10.0.0.0/8"]
    network_allow = ["10.1.2.3", "fd00::/8"]
    storage = "tmpfs"
    tmp = "tmpfs"
    boot = false
    shell = '/bin/sh'
    seccomp = false
    capabilities = ["CAP_SYS_PTRACE"]
    devices = ["/dev/kvm:rw"]
    syscalls = ["@keyring"]
    nesting = true
    prepare_timeout = "2min"
    mirror = "https://deb.example/debian"
    tool = "debootstrap"
    [limits]
    cpu_weight = 10000
    memory_high = "3G"
    memory_max = 1073741824
    swap_max = "1G"
    cpu_quota = "150%"
    io_weight = 200
    tasks_max = "10%"
    disk_max = "20G"
    [service_limits]
    cpu_weight = 10
    memory_high = "1G"
    memory_max = "2G"
    swap_max = "infinity"
    cpu_quota = "50%"
    io_weight = 20
    tasks_max = 500
    disk_max = "4G"
    [[services]]
    name = "postgres:16"
    alias = "db, database"
    [services.variables]
    POSTGRES_PASSWORD = "$DB_PASSWORD"
    [[services]]
    name = "redis:7"
    entrypoint = ["/bin/redis"]
    command = ["--port", "1"]
    [services.variables]
    A = ""
    [overrides]
    services_required = true
    memory_max = "8G"
    cpu_quota = "400%"
    tasks_max = 1000
    disk_max = "100G"
    boot = true
    network = "host"
  `);
  assert.deepEqual(config, {
    file: FILE,
    store: "/srv/ci",
    definitions: "/etc/ci",
    default_image: "registry.example:5000/ci/debian:bookworm",
    allowed_images: ["debian-*", "book[a-z]orm"],
    pull: ["docker.io/library/*", "!**/kali*"],
    pull_policy: ["if-not-present"],
    allowed_pull_policies: ["always", "never"],
    helper: "tools",
    allowed_services: ["docker.io/library/*"],
    services_limit: 4,
    services_required: true,
    wait_for_services_timeout: 120,
    limits_shared: true,
    service_limits: {
      cpu_weight: 10,
      memory_high: "1G",
      memory_max: "2G",
      swap_max: "infinity",
      cpu_quota: "50%",
      io_weight: 20,
      tasks_max: "500",
      disk_max: "4G",
    },
    services: [
      {
        name: "postgres:16",
        alias: "db, database",
        entrypoint: [],
        command: [],
        variables: { POSTGRES_PASSWORD: "$DB_PASSWORD" },
      },
      {
        name: "redis:7",
        alias: "",
        entrypoint: ["/bin/redis"],
        command: ["--port", "1"],
        variables: { A: "" },
      },
    ],
    trust_images: true,
    deadline: 7200,
    keep_failed: 1800,
    keep_generations: 5,
    disk_reserve: 2_147_483_648,
    user: "1000",
    overrides: {
      memory_max: "8G",
      cpu_quota: "400%",
      tasks_max: "1000",
      disk_max: "100G",
      boot: true,
      network: "host",
      services_required: true,
    },
    network: "private",
    network_range: "10.9.0.0/24",
    network_deny: ["10.0.0.0/8"],
    network_allow: ["10.1.2.3", "fd00::/8"],
    extra_hosts: ["gitlab.lan:192.0.2.10"],
    binds: ["/srv/data:/data:ro"],
    private_users: "off",
    gitlab_runner: "/opt/gitlab-runner",
    persistent_builds: true,
    cache_max_size: 20 * 2 ** 30,
    cache_max_age: 604_800,
    images_max_size: 50 * 2 ** 30,
    images_max_age: 14 * 86_400,
    history_max_size: 2 ** 30,
    history_max_age: 365 * 86_400,
    storage: "tmpfs",
    tmp: "tmpfs",
    boot: false,
    shell: "/bin/sh",
    seccomp: false,
    capabilities: ["CAP_SYS_PTRACE"],
    devices: ["/dev/kvm:rw"],
    syscalls: ["@keyring"],
    nesting: true,
    prepare_timeout: 120,
    mirror: "https://deb.example/debian",
    tool: "debootstrap",
    limits: {
      cpu_weight: 10000,
      memory_high: "3G",
      memory_max: "1073741824",
      swap_max: "1G",
      cpu_quota: "150%",
      io_weight: 200,
      tasks_max: "10%",
      disk_max: "20G",
    },
  });
});

Deno.test("loadConfig() takes a table in each of TOML's spellings", async () => {
  for (
    const text of [
      "[limits]\ncpu_weight = 7",
      "limits.cpu_weight = 7",
      "limits = { cpu_weight = 7 }",
    ]
  ) {
    assert.deepEqual((await load(text)).limits, { ...DEFAULTS.limits, cpu_weight: 7 });
  }
});

Deno.test("loadConfig() refuses an unknown key and names the nearest one", async () => {
  assert.equal(
    await complaint(load('stroe = "/x"')),
    "Cannot use /c.toml: unknown key stroe | Did you mean store?",
  );
  assert.equal(
    await complaint(load("[limits]\nmemory_mx = 1")),
    "Cannot use /c.toml: unknown key limits.memory_mx | Did you mean limits.memory_max?",
  );
  assert.match(
    await complaint(load("something_else = 1")),
    /unknown key something_else \| All keys: man nspawn-runner\.toml$/,
  );
  assert.match(await complaint(load("[runners]\nx = 1")), /unknown key runners /);
  assert.match(await complaint(load("constructor = 1")), /unknown key constructor/);
  assert.match(await complaint(load('"a\\nb" = 1')), /unknown key "a\\nb" /);
  assert.match(
    await complaint(load('"limits.cpu_weight" = 1')),
    /unknown key "limits\.cpu_weight"/,
  );
});

Deno.test("loadConfig() refuses a key that only definitions may hold", async () => {
  assert.match(
    await complaint(load('suite = "sid"')),
    /unknown key suite \| Write it into the definition of a chroot$/,
  );
});

Deno.test("loadConfig() refuses a wrong type with the dotted path and what is allowed", async () => {
  assert.equal(
    await complaint(load('[limits]\ncpu_weight = "50"')),
    "Cannot use /c.toml: limits.cpu_weight must be a whole number from 1 to 10000 | undefined",
  );
  assert.match(await complaint(load('boot = "yes"')), /boot must be true or false/);
  assert.match(await complaint(load("limits = 5")), /limits must be a table \| Write \[limits\]/);
  assert.match(await complaint(load("[[limits]]\ncpu_weight = 5")), /limits must be a table/);
  assert.match(await complaint(load("[store]\nx = 1")), /store must be an absolute path/);
  assert.match(await complaint(load("[limits.memory_max]\nx = 1")), /limits\.memory_max must be/);
  for (const date of ["1979-05-27", "1979-05-27T07:32:00Z", "07:32:00"]) {
    assert.match(await complaint(load(`shell = ${date}`)), /shell must be the name/);
    assert.match(await complaint(load(`prepare_timeout = ${date}`)), /prepare_timeout must be/);
  }
});

Deno.test("loadConfig() refuses invalid TOML", async () => {
  for (
    const text of ["store", "store = ", 'store = "/a', "[limits", "store = /var"]
  ) {
    assert.match(
      await complaint(load(text)),
      /^Cannot read \/c\.toml: .*\| It must be TOML 1\.0$/s,
    );
  }
});

Deno.test("loadConfig() refuses a key or table that is repeated", async () => {
  for (
    const text of [
      'shell = "a"\nshell = "b"',
      "[limits]\ncpu_weight = 1\ntasks_max = 2\ncpu_weight = 1",
      "[limits]\ncpu_weight = 1\n[limits]\ntasks_max = 2",
      "limits.cpu_weight = 1\nlimits.cpu_weight = 2",
      "limits.cpu_weight = 1\n[limits]\ntasks_max = 2",
      "limits = { cpu_weight = 1 }\nlimits.tasks_max = 2",
      "limits = { cpu_weight = 1, cpu_weight = 2 }",
      'shell = "a"\n"shell" = "b"',
      'allowed_images = ["a"]\nallowed_images = ["b"]',
    ]
  ) {
    assert.match(await complaint(load(text)), /^Cannot read \/c\.toml: /);
  }
  const config = await load('# shell = "a"\nshell = "b" # shell = "c"\n[limits]\n# [limits]\n');
  assert.equal(config.shell, "b");
});

/** Lines that begin alike, inside values: each is valid TOML. */
const LINES_THAT_BEGIN_ALIKE: readonly (readonly [string, readonly string[]])[] = [
  ['setup = [\n  "A=1 make",\n  "A=1 make install",\n]', ["A=1 make", "A=1 make install"]],
  [
    "setup = [\n  'apt-get -o Dpkg::Options::=--force-confold upgrade',\n" +
    "  'apt-get -o Dpkg::Options::=--force-confold install make',\n]",
    [
      "apt-get -o Dpkg::Options::=--force-confold upgrade",
      "apt-get -o Dpkg::Options::=--force-confold install make",
    ],
  ],
  [
    'setup = ["""\nexport X=1\nexport X=2\n[ -e f ] || true\n[ -e f ] || false"""]',
    ["export X=1\nexport X=2\n[ -e f ] || true\n[ -e f ] || false"],
  ],
  ["setup = ['''\nsuite = 1\nsuite = 1\n[limits]\n[limits]''']", [
    "suite = 1\nsuite = 1\n[limits]\n[limits]",
  ]],
];

for (const [text, setup] of LINES_THAT_BEGIN_ALIKE) {
  Deno.test(`parseDefinition() takes ${JSON.stringify(text)}`, async () => {
    assert.deepEqual((await parseDefinition(text, "/d.toml")).build, { setup });
  });
}

Deno.test("parseDefinition() takes the services of a chroot's jobs, and its command as a service", async () => {
  const { build, machine } = await parseDefinition(
    'service = ["redis-server"]\nservices = [{ name = "redis" }]',
    "/d.toml",
  );
  assert.deepEqual(build, { service: ["redis-server"] });
  assert.deepEqual(machine.services?.map(({ name }) => name), ["redis"]);
});

Deno.test("parseDefinition() returns the settings of the file, without defaults", async () => {
  assert.deepEqual(await parseDefinition("", "/d.toml"), { build: {}, machine: {} });
  assert.deepEqual(
    await parseDefinition('suite = "trixie"\nboot = false\n[limits]\nmemory_max = "1G"', "/d.toml"),
    { build: { suite: "trixie" }, machine: { boot: false, limits: { memory_max: "1G" } } },
  );
});

Deno.test("parseDefinition() refuses settings of the configuration, and invalid suites", async () => {
  assert.match(
    await complaint(parseDefinition('store = "/x"', "/d.toml")),
    /^Cannot use \/d\.toml: unknown key store \| Write it into the configuration, config\.toml/,
  );
  for (const suite of ["--help", "", "a b", "a/b", "$(id)", "a\\nb"]) {
    assert.match(await complaint(parseDefinition(`suite = "${suite}"`, "/d")), /suite must be/);
  }
});

Deno.test("settingsFor() takes the first value of each setting and of each limit", () => {
  const config = { ...DEFAULTS, shell: "zsh" };
  const definition = { boot: false, limits: { cpu_weight: 7 } };
  const playbook = { boot: true, seccomp: false, limits: { cpu_weight: 8, memory_max: "1G" } };
  const settings = settingsFor(config, definition, playbook);
  assert.deepEqual([settings.boot, settings.seccomp, settings.shell], [false, false, "zsh"]);
  assert.deepEqual(settings.limits, { ...DEFAULTS.limits, cpu_weight: 7, memory_max: "1G" });
});
