import assert from "node:assert/strict";
import { SETTINGS } from "../../../src/config/schema.ts";

/** Values that every field must refuse: other types, and text that could set something else where it is inserted. */
const NEVER: readonly unknown[] = [
  null,
  undefined,
  [],
  {},
  Object.create(null),
  new Date(),
  NaN,
  Infinity,
  -1,
  0,
  0.5,
  "",
  " ",
  "\n",
  "-x",
  "a b",
  "a\nb",
  "a\0b",
  "80% MemoryMax=1",
  "1G\n",
  "%i",
  "$HOME",
  "a;b",
  "a,b",
  "'a'",
];

const TABLE: Readonly<Record<string, { good: readonly unknown[]; bad: readonly unknown[] }>> = {
  store: {
    good: ["/srv", "/var/lib/nspawn-runner", "/a.b/_c@d", "/é"],
    bad: [
      "/",
      "srv",
      "./srv",
      "/a/",
      "//a",
      "/a/../b",
      "/a/.",
      "/..",
      "/a:b",
      "/a,b",
      "/a\\b",
      "/a b",
      "/a%b",
    ],
  },
  definitions: { good: ["/etc/ci"], bad: ["etc", "/etc/../x", "/a:b"] },
  default_image: {
    good: ["bookworm", "debian:bookworm", "registry.example:5000/ci/debian:12"],
    bad: ["/etc", "../x", ".hidden", true, 12],
  },
  allowed_images: {
    good: [["*"], ["bookworm", "debian-*", "ubuntu-2?.04", "[a-c]*", "[!x]"]],
    bad: ["*", [""], ["a/b"], ["*", 1], ["[b-a]"], ["["], ["a b"], ["(x)"], [".*\n"]],
  },
  deadline: { good: [60, "60s", "24h", "30d"], bad: [59, "4000d", "1w", true] },
  keep_failed: { good: [1, "30min", "7d"], bad: ["0s", "4000d", "soon", true] },
  gitlab_runner: { good: ["/usr/bin/gitlab-runner"], bad: ["gitlab-runner", "/a/../b", true] },
  persistent_builds: { good: [true, false], bad: ["yes", 1] },
  pull: {
    good: [[], ["docker.io/library/*"], ["registry.example:5000/**", "!**/{kali,evil}*:[0-9]*"]],
    bad: ["**", [""], ["!"], ["a b"], ["a,b"], ["{a"], ["a}"], ["{a,{b}}"], ["[a"], ["a\\"], [1]],
  },
  pull_policy: {
    good: ["always", ["always", "if-not-present"], ["never"], ["always", "always"]],
    bad: ["Always", ["always", "sometimes"], [1], true],
  },
  allowed_pull_policies: { good: ["never", ["if-not-present"]], bad: [["*"], "all", true] },
  helper: { good: ["helper", "git-12"], bad: ["a/b", "../x", "config", 1] },
  images_max_size: { good: ["infinity", "20G", 1048576], bad: ["80%", "0", "20GB", true] },
  images_max_age: { good: [60, "30d", "12h"], bad: [59, "1w", "infinity", true] },
  history_max_size: { good: ["infinity", "20G", 1048576], bad: ["80%", "0", "20GB", true] },
  history_max_age: { good: [60, "30d", "12h"], bad: [59, "1w", "infinity", true] },
  trust_images: { good: [true, false], bad: ["yes", 1] },
  cache_max_size: {
    good: ["infinity", "20G", 1048576, "1T"],
    bad: ["80%", "0", "20GB", "inf", true],
  },
  cache_max_age: { good: [60, "30d", "12h"], bad: [59, "1w", "infinity", true] },
  suite: {
    good: ["bookworm", "stable", "bookworm-backports"],
    bad: ["Bookworm", "../x", "a/b", 12],
  },
  source: {
    good: [
      "tar:/srv/root.tar.zst",
      "dir:/srv/root",
      "docker:python:3.12",
      "docker://docker.io/library/python:3.12",
      `docker:registry.example:5000/ci/a_b/x@sha256:${"0".repeat(64)}`,
      "oci:registry.example/ci/bookworm:latest",
      "oci:/srv/image",
      "oci:/srv/image:v1.2",
    ],
    bad: [
      "/srv/root",
      "tar:root.tar",
      "dir:/a/../b",
      "docker:",
      "docker:Python",
      "docker:/srv/image",
      "docker:a b",
      "docker:a;b",
      "docker:-x",
      "docker:a/../b",
      "docker:user:secret@registry.example/x",
      "docker:x@sha256:0",
      "oci:/a/../b:x",
      "oci:/a:",
      "zip:/a",
      true,
    ],
  },
  components: {
    good: [["main"], ["main", "non-free-firmware", "updates/main"]],
    bad: ["main", ["Main"], ["a,b"], [1], [""]],
  },
  packages: {
    good: [["make"], ["g++", "libc6:i386", "python3.11"]],
    bad: ["make", ["Make"], ["a,b"], ["-x"], ["a b"], [1]],
  },
  keyring: { good: ["/usr/share/keyrings/x.gpg"], bad: ["x.gpg", "/a/../b"] },
  copy: {
    good: [{ "/etc/hosts": "/etc/hosts", "/srv/a": "/opt/b" }],
    bad: [
      { "/a": "/tmp/b" },
      { "/a": "/run" },
      { "/a": "/proc/b" },
      { a: "/b" },
      { "/a": "b" },
      { "/a": "/b/../c" },
      { "/a:b": "/c" },
      ["/a", "/b"],
      true,
    ],
  },
  setup: { good: [["echo hi"], ["a\nb", "c"]], bad: ["echo hi", [" "], ["a\0b"], [1]] },
  recreate: { good: [true, false], bad: ["yes", 1] },
  extends: { good: ["bookworm", "debian-12"], bad: ["", "a/b", "../x", "a..b", "-x", "config", 1] },
  playbook: {
    good: ["plays/base.yaml", "plays/deep/base.yml", "/srv/base.yml"],
    bad: [
      "",
      "base.yaml",
      "plays/base",
      "../x.yaml",
      "a/../b.yaml",
      "/a/./b.yaml",
      "a/b c.yaml",
      "a/b\n.yaml",
      "a//b.yaml",
      "-a/b.yaml",
    ],
  },
  user: {
    good: ["ci", "_apt", "www-data", 1000],
    bad: ["", "0", "a b", "a:b", "-x", "$x", -1, 1.5, true],
  },
  disk_reserve: { good: ["256M", "10G", 1048576, 1], bad: ["infinity", "0", "10%", "1GB", true] },
  private_users: { good: ["auto", "required", "off"], bad: ["on", "pick", true, false] },
  network: { good: ["auto", "private", "host", "none"], bad: ["bridge", true, ""] },
  network_range: {
    good: ["10.231.0.0/19", "192.168.1.0/28", "172.16.0.0/16"],
    bad: ["10.0.0.0/8", "10.1.0.0", "10.1.0.0/29", "fd00::/64", "10.1.0/24", "10.256.0.0/16", 10],
  },
  network_deny: {
    good: [[], ["10.0.0.0/8", "1.2.3.4"], ["fd00::1", "2001:db8::/32", "::/0"]],
    bad: ["1.2.3.4", ["1.2.3"], ["1.2.3.4/33"], ["fd00::/129"], ["1.2.3.4 }"], ["g::1"], [
      "a.example",
    ], [1]],
  },
  network_allow: { good: [[], ["10.1.2.3"]], bad: [["10.1.2.3/x"], ["10.1.2.3/1/2"], true] },
  "overrides.network": { good: ["none", "private", "host"], bad: ["auto", true] },
  extra_hosts: {
    good: [[], ["gitlab.lan:192.0.2.10", "a:2001:db8::1"]],
    bad: ["a:1.2.3.4", ["a"], ["a:b"], ["a b:1.2.3.4"], [":1.2.3.4"], ["a:1.2.3.4\n9.9.9.9 b"], [
      1,
    ]],
  },
  binds: {
    good: [["/srv/data:/data"], ["/srv/a:/b:ro", "/c:/d"]],
    bad: ["/a:/b", ["/a"], ["/a:b"], ["a:/b"], ["/a:/b:rw"], ["/a:/b:ro:x"], ["/:/b"], [
      "/a:/b/../c",
    ], [1]],
  },
  "overrides.memory_max": { good: ["8G", 1048576], bad: ["80%", "infinity", "8GB", true] },
  "overrides.cpu_quota": { good: ["400%"], bad: ["infinity", 400, "0%", true] },
  "overrides.tasks_max": { good: [1000, "1000"], bad: ["10%", "infinity", 0, true] },
  "overrides.disk_max": { good: ["16M", 16777216], bad: ["15M", "infinity", "10%", 0] },
  "overrides.services_required": { good: [true, false], bad: ["yes", 1] },
  "overrides.boot": { good: [true, false], bad: ["yes", 1] },
  services: {
    good: [
      [],
      [{ name: "postgres:16" }, { name: "reg.example:5000/g/app", alias: "db,database pg" }],
      [{ name: "a", alias: "", entrypoint: [""], command: [], variables: { A_1: "$B\nx" } }],
    ],
    bad: [
      "postgres",
      ["postgres"],
      [null],
      [[]],
      [{}],
      [{ name: "" }],
      [{ name: "a b" }],
      [{ name: "$IMAGE" }],
      [{ name: 1 }],
      [{ name: "a", alias: 1 }],
      [{ name: "a", alias: "a#b" }],
      [{ name: "a", alias: "a\nb" }],
      [{ name: "a", entrypoint: "sh" }],
      [{ name: "a", command: [1] }],
      [{ name: "a", command: ["a\0"] }],
      [{ name: "a", variables: ["A=1"] }],
      [{ name: "a", variables: { A: 1 } }],
      [{ name: "a", variables: { A: "\0" } }],
      [{ name: "a", variables: { "A-B": "" } }],
      [{ name: "a", variables: { "": "" } }],
      [{ name: "a", image: "b" }],
      [{ name: "a" }, { nam: "a" }],
      { name: "a" },
    ],
  },
  allowed_services: { good: [[], ["**"], ["docker.io/library/*", "!**/x"]], bad: ["**", ["a b"]] },
  services_limit: { good: [0, 1, 50], bad: [51, "1", true, "infinity"] },
  services_required: { good: [true, false], bad: ["yes", 1] },
  wait_for_services_timeout: {
    good: [-1, 0, 1, 86_400, "30s", "2min"],
    bad: [86_401, "0s", "-1", "soon", true, -1.5],
  },
  limits_shared: { good: [true, false], bad: ["yes", 1] },
  service: {
    good: [["redis-server"], ["/bin/sh", "-c", "a\nb", ""]],
    bad: ["redis-server", ["", "a"], ["a\0"], [1]],
  },
  "service_limits.cpu_weight": { good: [1, 10_000], bad: [10_001, "50"] },
  "service_limits.memory_high": { good: ["infinity", "1G", "40%"], bad: ["0%", "1GB", true] },
  "service_limits.memory_max": { good: ["infinity", "1G", "40%"], bad: ["0%", "1GB", true] },
  "service_limits.swap_max": { good: [0, "0", "infinity", "1G", "10%"], bad: ["1GB", true] },
  "service_limits.cpu_quota": { good: ["infinity", "50%"], bad: [50, "0%"] },
  "service_limits.io_weight": { good: [1, 10_000], bad: [10_001, "50"] },
  "service_limits.tasks_max": { good: [1, "10%", "infinity"], bad: ["0", "16K"] },
  "service_limits.disk_max": { good: ["infinity", "16M"], bad: ["15M", "10%"] },
  "limits.disk_max": {
    good: ["infinity", "16M", "2G", "1T", 16777216],
    bad: ["16777215", "16383K", "10%", "2GB", -1, true],
  },
  "limits.swap_max": {
    good: [0, "0", "infinity", "1G", "10%"],
    bad: [-1, "0%", "1GB", "all", true],
  },
  "limits.cpu_quota": {
    good: ["infinity", "50%", "400%"],
    bad: ["0%", "50", 50, "-1%", "1.5%", true],
  },
  "limits.io_weight": { good: [1, 100, 10000], bad: [0, 10001, "100", 1.5] },
  keep_generations: { good: [1, 2, 100], bad: [0, 101, 1.5, "2", true] },
  aliases: {
    good: [["a"], ["debian-12", "stable"]],
    bad: ["a", ["a/b"], ["../x"], [""], [1], ["config"], ["a", "config"]],
  },
  storage: { good: ["auto", "overlay", "btrfs", "tmpfs"], bad: ["zfs", "Auto", true] },
  tmp: { good: ["storage", "tmpfs"], bad: ["memory", "", true] },
  boot: { good: [true, false], bad: ["true", 1] },
  seccomp: { good: [true, false], bad: ["no", 1] },
  capabilities: {
    good: [["CAP_SYS_PTRACE"], ["CAP_MKNOD", "CAP_BPF"]],
    bad: [[], ["all"], ["SYS_PTRACE"], ["cap_mknod"], ["CAP_NONE"], "CAP_MKNOD", ["CAP_MKNOD,all"]],
  },
  devices: {
    good: [["/dev/kvm"], ["/dev/dri/renderD128:rw", "/dev/snd/seq:r"]],
    bad: [
      ["kvm"],
      ["/dev"],
      ["/dev/"],
      ["/dev/../etc/passwd"],
      ["/etc/passwd"],
      ["/dev/kvm:w"],
      ["/dev/kvm:rwm"],
      ["/dev/kvm:r:r"],
      ["/dev/a b"],
      ["/dev/x%n"],
      "/dev/kvm",
      [],
    ],
  },
  syscalls: {
    good: [["keyctl"], ["@keyring", "add_key"]],
    bad: [["~mount"], ["a b"], ["KEYCTL"], [""], "keyctl", [1], []],
  },
  nesting: { good: [true, false], bad: ["yes", 1] },
  shell: {
    good: ["bash", "sh", "/bin/bash", "/usr/bin/python3.11"],
    bad: ["bin/bash", "../sh", "/bin/../sh", "/bin/", "/", "bash -e", true],
  },
  prepare_timeout: {
    good: [1, 120, 86400, "90", "90s", "2min", "24h"],
    bad: [86401, "25h", "0s", "2m", "2 min", "1.5min", "banana", true],
  },
  mirror: {
    good: [
      "http://deb.example",
      "https://deb.example:8080/debian",
      "file:///srv/debian",
      "copy:/srv/debian",
    ],
    bad: [
      "deb.example",
      "ftp://deb.example",
      "http:/deb.example",
      "https://",
      "-http://x",
      "javascript:x",
      "http://a/ b",
    ],
  },
  tool: { good: ["auto", "mmdebstrap", "debootstrap"], bad: ["apt", "/usr/bin/mmdebstrap"] },
  "limits.cpu_weight": { good: [1, 50, 10000], bad: [10001, "50", "idle", true] },
  "limits.memory_high": {
    good: ["80%", "1%", "100%", "infinity", "512M", "3G", "1T", "1073741824", 1073741824],
    bad: [
      "0%",
      "150%",
      "101%",
      "80.5%",
      "banana",
      "1P",
      "3g",
      "3 G",
      "3GB",
      "0",
      "9999999999999999T",
      true,
    ],
  },
  "limits.memory_max": {
    good: ["infinity", "1G", "90%"],
    bad: ["0%", "150%", "banana", "inf", true],
  },
  "limits.tasks_max": {
    good: [1, 16384, "16384", "10%", "infinity"],
    bad: [4194305, "0", "0%", "150%", "many", "16K", true],
  },
};

for (const { key, check, default: standard } of SETTINGS) {
  Deno.test(`SETTINGS: ${key} takes allowed values`, () => {
    for (const value of TABLE[key]!.good) assert.notEqual(check(value), undefined, String(value));
    if (standard !== undefined) assert.notEqual(check(standard), undefined);
  });

  Deno.test(`SETTINGS: ${key} refuses other values`, () => {
    const { good, bad } = TABLE[key]!;
    const mayBeEmpty = good.some((value) => Array.isArray(value) && value.length === 0);
    const never = NEVER.filter((value) =>
      !good.includes(value) && (!mayBeEmpty || !Array.isArray(value))
    );
    for (const value of [...bad, ...never]) {
      assert.equal(check(value), undefined, JSON.stringify(value));
    }
  });
}

Deno.test("SETTINGS: the table of this test has all keys", () => {
  assert.deepEqual(Object.keys(TABLE).sort(), SETTINGS.map(({ key }) => key).sort());
});

Deno.test("SETTINGS: prepare_timeout is in seconds", () => {
  const { check } = SETTINGS.find(({ key }) => key === "prepare_timeout")!;
  assert.deepEqual([45, "90", "90s", "2min", "1h"].map((value) => check(value)), [
    45,
    90,
    90,
    120,
    3600,
  ]);
});

Deno.test("SETTINGS: wait_for_services_timeout is 30 seconds where it is 0, as with Docker's executor", () => {
  const { check } = SETTINGS.find(({ key }) => key === "wait_for_services_timeout")!;
  assert.deepEqual([0, -1, 5, "1min"].map((value) => check(value)), [30, -1, 5, 60]);
});

Deno.test("SETTINGS: limits are strings for systemd, cpu_weight is a number", () => {
  const check = (key: string) => SETTINGS.find((field) => field.key === key)!.check;
  assert.equal(check("limits.memory_max")(1024), "1024");
  assert.equal(check("limits.tasks_max")(5), "5");
  assert.equal(check("limits.cpu_weight")(5), 5);
});
