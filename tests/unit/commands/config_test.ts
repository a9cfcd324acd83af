import { parse } from "@std/toml/parse";
import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { SETTINGS } from "../../../src/config/schema.ts";
import { inFolder, recordingHost } from "../recording_host.ts";

/** Runs a command line on a host whose folder has these files, and whose configuration is config.toml there. */
async function call(files: Readonly<Record<string, string>>, ...argv: readonly string[]) {
  let done = { code: 0, out: "", err: "" };
  await inFolder(async (folder) => {
    const places = `store = "${folder}/store"\ndefinitions = "${folder}"\n`;
    const all = { "config.toml": "", ...files };
    for (const [name, text] of Object.entries(all)) {
      await Deno.writeTextFile(`${folder}/${name}`, name === "config.toml" ? places + text : text);
    }
    const config = `${folder}/config.toml`;
    const { host, out, err } = recordingHost({ env: { NSPAWN_RUNNER_CONFIG: config }, uid: 1000 });
    const code = await main(argv.map((word) => word.replace(/^@/, folder)), host);
    done = { code, out: out().replaceAll(folder, "@"), err: err().replaceAll(folder, "@") };
  });
  return done;
}

Deno.test("config prints each setting with its value and where that comes from", async () => {
  const { code, out, err } = await call(
    { "config.toml": 'deadline = "2h"\n[limits]\nmemory_max = "4G"\n' },
    "config",
  );
  assert.equal(code, 0, err);
  assert.match(out, /^deadline = "2h" +# @\/config\.toml$/m);
  assert.match(out, /^limits\.memory_max = "4G" +# @\/config\.toml$/m);
  assert.match(out, /^cache_max_age = "30d" +# default$/m);
  assert.match(out, /^# keep_failed has no value$/m);
  assert.doesNotMatch(out, /suite/);
});

Deno.test("config prints TOML that is a configuration again", async () => {
  const services = '[[services]]\nname = "redis"\n[services.variables]\nA = "b"\n';
  const { out } = await call({ "config.toml": services }, "config");
  assert.equal(
    JSON.stringify(parse(out)["services"]),
    JSON.stringify([{ name: "redis", variables: { A: "b" } }]),
  );
  const again = await call(
    { "config.toml": out.replace(/^(store|definitions) .*\n/gm, "") },
    "config",
  );
  assert.equal(again.code, 0, again.err);
  const withoutOrigins = (text: string) => text.replace(/ +#.*/g, "");
  assert.equal(withoutOrigins(again.out), withoutOrigins(out));
});

Deno.test("config --chroot prints what a definition and a playbook set, and the settings of the build", async () => {
  const { code, out, err } = await call(
    {
      "config.toml": 'boot = false\n[limits]\nmemory_max = "4G"\ncpu_weight = 10\n',
      "bookworm.toml": 'suite = "bookworm"\n[limits]\nmemory_max = "1G"\n',
      "bookworm.yaml":
        '- hosts: all\n  vars: {nspawn_runner_memory_max: "2G", nspawn_runner_seccomp: "no"}\n',
    },
    "config",
    "--chroot",
    "bookworm",
  );
  assert.equal(code, 0, err);
  assert.match(out, /^suite = "bookworm" +# @\/bookworm\.toml$/m);
  assert.match(out, /^limits\.memory_max = "1G" +# @\/bookworm\.toml$/m);
  assert.match(out, /^seccomp = false +# @\/bookworm\.yaml$/m);
  assert.match(out, /^limits\.cpu_weight = 10 +# @\/config\.toml$/m);
  assert.match(out, /^# packages has no value$/m);
});

Deno.test("config --chroot refuses a chroot that does not exist", async () => {
  const unknown = await call({}, "config", "--chroot", "nope");
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /Cannot use image "nope": no such chroot/);
  const wrong = await call({}, "config", "--chroot", "../x");
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /Cannot use "\.\.\/x": no chroot can have this name/);
});

Deno.test("config --json prints all settings with value and file", async () => {
  const { out } = await call({ "config.toml": "boot = false\n" }, "config", "--json");
  const settings: { key: string; value: unknown; file: string | null }[] = JSON.parse(out);
  const all = SETTINGS.filter(({ where }) => where !== "definition").map(({ key }) => key);
  assert.deepEqual(settings.map(({ key }) => key), all);
  const of = (key: string) => settings.find((setting) => setting.key === key);
  assert.deepEqual(of("boot"), { key: "boot", value: false, file: "@/config.toml" });
  assert.deepEqual(of("deadline"), { key: "deadline", value: "24h", file: null });
  assert.deepEqual(of("user"), { key: "user", value: null, file: null });
});

Deno.test("config --check says OK for a configuration and a definition", async () => {
  const files = {
    "bookworm.toml": 'suite = "bookworm"\nboot = false\n',
    "new.toml": 'default_image = "bookworm"\nboot = false\n',
    "empty.toml": "",
  };
  for (
    const [name, kind] of [
      ["config.toml", "configuration"],
      ["new.toml", "configuration"],
      ["bookworm.toml", "definition"],
      ["empty.toml", "definition"],
    ]
  ) {
    const { code, out, err } = await call(files, "config", "--check", `@/${name}`);
    assert.equal(code, 0, err);
    assert.equal(out, `OK: @/${name} is a valid ${kind}\n`);
  }
});

Deno.test("config --check prints the error of a file, whatever the configuration is", async () => {
  for (
    const [text, error] of [
      [
        'default_imag = "x"\ndeadline = "1h"\n',
        /unknown key default_imag\nDid you mean default_image/,
      ],
      ['defualt_image = "x"\nboot = true\n', /key defualt_image\nDid you mean default_image/],
      ['pakages = ["x"]\n', /key pakages\nDid you mean packages/],
      ['pull = ["a/[z-b]"]\n', /Cannot use pull: "a\/\[z-b\]" is no pattern/],
      ['suite = "a"\nextends = "b"\n', /suite and extends exclude each other/],
      ["boot = 1\n", /@\/new\.toml: boot must be true or false/],
      ["boot = \n", /Cannot read @\/new\.toml: .*/],
    ] as const
  ) {
    const { code, out, err } = await call(
      { "config.toml": "wrong = true\n", "new.toml": text },
      "config",
      "--check",
      "@/new.toml",
    );
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, error);
  }
  const missing = await call({}, "config", "--check", "@/missing.toml");
  assert.match(missing.err, /Cannot read @\/missing\.toml: no such file/);
});

Deno.test("config --check goes with no other option", async () => {
  const { code, err } = await call({}, "config", "--check", "@/config.toml", "--json");
  assert.equal(code, 2);
  assert.match(err, /Cannot use --check with other options/);
});
