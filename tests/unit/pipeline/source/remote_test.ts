import assert from "node:assert/strict";
import { projectOf, withoutPassword } from "../../../../src/pipeline/source/remote.ts";

Deno.test("projectOf() reads every form of a remote's URL", () => {
  const project = (remote: string | null) => projectOf(remote, "local/x");
  for (
    const remote of [
      "https://gitlab.example.org/group/sub.group/project.git",
      "https://user:token@gitlab.example.org/group/sub.group/project/",
      "git@gitlab.example.org:group/sub.group/project.git",
      "gitlab.example.org:/group/sub.group/project",
      "ssh://git@gitlab.example.org:2222/group/sub.group/project.git",
    ]
  ) {
    assert.deepEqual(project(remote), {
      path: "group/sub.group/project",
      server: "https://gitlab.example.org",
    }, remote);
  }
  assert.equal(project("http://127.0.0.1:8929/a/b.git").server, "http://127.0.0.1:8929");
});

Deno.test("projectOf() takes no path that could leave the folder of builds", () => {
  for (
    const remote of [
      null,
      "/srv/git/project.git",
      "file:///srv/git/a/b",
      "../other",
      "https://x.invalid/../../etc/passwd",
      "git@x.invalid:../../etc",
      "git@x.invalid:a/$(id)/b",
      "https://x.invalid/a/%2e%2e/b",
      "https://x.invalid/a%zz/b",
      "no host:a/b",
    ]
  ) {
    const { path, server } = projectOf(remote, "local/x");
    assert.ok(URL.canParse(server), server);
    assert.ok(!path.includes("..") && !path.includes("$") && !path.startsWith("/"), `${path}`);
  }
});

Deno.test("withoutPassword() leaves no secret in a URL", () => {
  assert.equal(withoutPassword("https://user:secret@x.invalid/a"), "https://x.invalid/a");
  assert.equal(withoutPassword("https://user:sec@ret@x.invalid/a"), "https://x.invalid/a");
  assert.equal(withoutPassword("ssh://git:secret@x.invalid/a"), "ssh://git@x.invalid/a");
  assert.equal(withoutPassword("ssh://git@x.invalid/a"), "ssh://git@x.invalid/a");
  assert.equal(withoutPassword("git@x.invalid:a/b"), "git@x.invalid:a/b");
});
