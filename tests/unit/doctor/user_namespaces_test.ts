import assert from "node:assert/strict";
import { userNamespaces } from "../../../src/doctor/user_namespaces.ts";
import { find } from "./fixture.ts";

/** A line of subuid(5) or subgid(5), and the finding; null where machines get other ids. */
const SUBIDS: readonly (readonly [string, string, RegExp | null])[] = [
  ["/etc/subuid", "ci:100000:65536\n", null],
  ["/etc/subuid", "a:1:2\nbuilder:1073741824:65536\n", null],
  ["/etc/subuid", "a:1:2\nbuilder:1073741824:805306368\n", /^builder in \/etc\/subuid/],
  ["/etc/subgid", "all:0:4294967295\n", /^all in /],
  ["/etc/subgid", "nonsense\n", null],
];

for (const [file, text, expected] of SUBIDS) {
  Deno.test(`userNamespaces() ${expected ? "finds" : "finds nobody in"} ${file}: ${JSON.stringify(text)}`, async () => {
    const [finding] = await find(userNamespaces, { files: { [file]: text } });
    if (expected === null) assert.equal(finding, undefined, "there is no chroot to map");
    else assert.match(`${finding?.state} ${finding?.found}`.replace("weak ", ""), expected);
  });
}

Deno.test("userNamespaces() tries to map the owners of a chroot", async () => {
  const tree = async (folder: string) =>
    void await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
  const said = (stdout: string) => (argv: readonly string[]) =>
    argv[0] === "unshare" ? { stdout, stderr: "control succeeded\n" } : undefined;
  for (
    const [stdout, expected] of [["1073741824\n", "ok"], ["0\n", "weak"], ["", "weak"]] as const
  ) {
    const [finding] = await find(userNamespaces, { answer: said(stdout) }, tree);
    assert.equal(finding?.state, expected);
  }
});

Deno.test("userNamespaces() is ok with a shifted layer where machines see the owners in it", async () => {
  const tree = async (folder: string) =>
    void await Deno.mkdir(`${folder}/store/x/usr`, { recursive: true });
  for (const version of [252, 249]) {
    const answer = (argv: readonly string[]) =>
      argv[0] === "systemd-nspawn"
        ? { stdout: `systemd ${version} (x)\n` }
        : argv.at(-4)?.endsWith("/tree")
        ? { stdout: "1073741824 4750\ncontent" }
        : { stderr: "control succeeded\n" };
    const [finding] = await find(userNamespaces, { answer }, tree);
    assert.equal(finding?.state, version === 252 ? "ok" : "weak");
  }
});

Deno.test("userNamespaces() finds users of a directory service that have ids of machines", async () => {
  for (const database of ["passwd", "group"]) {
    const answer = (argv: readonly string[]) =>
      argv[0] === "getent" && argv[1] === database
        ? { stdout: "ldap-user:*:1073741824:\n" }
        : undefined;
    const [finding] = await find(userNamespaces, { answer });
    assert.match(`${finding?.found}`, new RegExp(`^ldap-user in ${database} of nsswitch`));
  }
});
