import assert from "node:assert/strict";
import { terminalLog } from "../../../src/host/log.ts";
import { installHint } from "../../../src/host/packages.ts";
import { quote, quoteAll } from "../../../src/text/quote.ts";

Deno.test("quote() leaves a plain word as it is and quotes all others", () => {
  assert.equal(quoteAll(["a/b=c", "d e", "it's", ""]), `a/b=c 'd e' 'it'\\''s' ''`);
  assert.equal(quote("$HOME"), "'$HOME'");
});

Deno.test("quote() is read back by a shell to the letter", async () => {
  const words = ["\n", "\\", "`id`", "$(id)", '"', "'", "*", "~", "-", "ü", " a  b ", "!x"];
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `printf '%s\\0' ${quoteAll(words)}`],
  }).output();
  assert.deepEqual(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
});

Deno.test("installHint() names the package of the distribution", () => {
  const hints: readonly (readonly [string, string, string | undefined])[] = [
    ["systemd-nspawn", "ID=debian\n", "Install it: apt install systemd-container"],
    [
      "systemd-nspawn",
      'ID=ubuntu\nID_LIKE="debian"\n',
      "Install it: apt install systemd-container",
    ],
    ["btrfs", "ID=ubuntu\n", "Install it: apt install btrfs-progs"],
    ["mount", "ID=debian\n", "Install it: apt install mount"],
    ["mount", "ID=fedora\n", "Install it: dnf install util-linux-core"],
    ["mount", "ID=arch\n", "Install it: pacman -S util-linux"],
    ["mount", "VARIANT_ID=debian\nID=plan9\n", undefined],
    ["systemd-nspawn", "ID=fedora\n", "Install it: dnf install systemd-container"],
    [
      "systemd-nspawn",
      'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
      "Install it: dnf install systemd-container",
    ],
    ["systemd-nspawn", "NAME=x\nID=arch\n", "Install it: pacman -S systemd"],
    [
      "ansible-playbook",
      "ID=linuxmint\nID_LIKE='ubuntu debian'\n",
      "Install it: apt install ansible-core",
    ],
    ["systemd-nspawn", "ID=plan9\n", undefined],
    ["unknown", "ID=debian\n", undefined],
    ["systemd-nspawn", "", undefined],
  ];
  for (const [program, release, hint] of hints) assert.equal(installHint(program, release), hint);
});

Deno.test("terminalLog() tells as much as it was asked to, on stderr alone", () => {
  const expected = { normal: "iw", verbose: "iws", debug: "iwsd" } as const;
  for (const [verbosity, letters] of Object.entries(expected)) {
    const written = { out: "", err: "" };
    const log = terminalLog({
      out: (text) => void (written.out += text),
      err: (text) => void (written.err += text),
      is: () => false,
      ask: () => Promise.resolve(null),
      columns: () => 80,
    }, false);
    log.verbosity = verbosity as keyof typeof expected;
    log.info("i");
    log.warn("w");
    log.step("s");
    log.debug("d");
    assert.equal(written.err.replaceAll(/[\n+ ]/g, ""), letters);
    assert.equal(written.out, "");
  }
});

Deno.test("terminalLog() colours warnings only when told", () => {
  for (const color of [true, false]) {
    let written = "";
    const err = (text: string) => void (written += text);
    const ask = () => Promise.resolve(null);
    terminalLog({ out: err, err, ask, is: () => true, columns: () => 80 }, color).warn("w");
    assert.equal(written.includes("\x1b["), color);
  }
});
