import assert from "node:assert/strict";
import { Failure } from "../../../../src/failure.ts";
import { denoHost } from "../../../../src/host/deno_host.ts";
import type { Host } from "../../../../src/host/host.ts";
import { takeSnapshot } from "../../../../src/pipeline/source/snapshot.ts";
import { skipReal } from "../../../skip.ts";
import { inFolder } from "../../recording_host.ts";

async function sh(folder: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-euc", script],
    cwd: folder,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", LC_ALL: "C.UTF-8" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

const NEW = `new() {
  git init --quiet --initial-branch=main "$1" && cd "$1"
  git config user.name 'Ada Ü' && git config user.email ada@example.org
}
commit() { git add -A && git commit --quiet -m "$1"; }
`;

/** A working copy `wc` with a submodule that has one as well. */
const REPOSITORY = `${NEW}top=$PWD
(new nested && echo nested >file && commit nested)
(new sub && echo sub >file && commit sub &&
  git -c protocol.file.allow=always submodule --quiet add "$top/nested" deep && commit more)
new wc
echo one >file && commit one
echo two >file && echo gone >gone && printf '#!/bin/sh\n' >run && chmod 700 run
echo ignored >.gitignore && commit two
git remote add origin https://user:secret@gitlab.example.org/group/project.git
git -c protocol.file.allow=always submodule --quiet add "$top/sub" 'the sub'
git -c protocol.file.allow=always submodule --quiet update --init --recursive
commit three
rm gone && echo three >file && echo new >'un tracked' && echo no >ignored
printf x >"$(printf 'latin\\351')" && ln -s none 'the sub/link' && echo changed >'the sub/file'
`;

/** Runs a test with a working copy below a folder, and another folder for the archives. */
async function withCopy(script: string, body: (folder: string, archives: string) => Promise<void>) {
  await inFolder(async (folder) => {
    await sh(folder, script);
    const archives = `${folder}/archives`;
    await Deno.mkdir(archives, { mode: 0o700 });
    await body(folder, archives);
  });
}

Deno.test("takeSnapshot() archives the working copy as it is", async () => {
  await withCopy(REPOSITORY, async (folder, archives) => {
    const snapshot = await takeSnapshot(denoHost(), {
      workingCopy: `${folder}/wc`,
      folder: archives,
    });
    const { commit } = snapshot;
    assert.deepEqual([commit.branch, commit.tag, commit.message], ["main", null, "three"]);
    assert.equal(commit.remote, "https://gitlab.example.org/group/project.git");
    assert.equal(commit.author, "Ada Ü <ada@example.org>");
    assert.equal(snapshot.changed, true);
    assert.ok(snapshot.submodules !== null && snapshot.nestedSubmodules !== null);
    const seen = await sh(
      folder,
      `mkdir out && cd out && umask 022 && tar -x --no-same-permissions -f ${snapshot.sources}
stat -c '%a' run file && ls -A 'the sub' && find . -name .git -prune -o -type f -print | LC_ALL=C sort | od -c | tail -3
git status --short && git log --format=%s && git rev-parse origin/main HEAD | sort -u | wc -l
grep -r -e secret -e "${folder}" .git || echo no secret
tar -x -f ${snapshot.submodules} && cat 'the sub/file' && ls 'the sub/deep' && git -C 'the sub' log --format=%s
tar -x -f ${snapshot.nestedSubmodules} && cat 'the sub/deep/file'`,
    );
    assert.match(seen, /^755\n644\n/);
    assert.match(seen, /351/);
    assert.match(
      seen,
      / M file\n D gone\n.*\?\? "latin\\351"\n\?\? "un tracked"\nthree\ntwo\none\n1\nno secret\n/s,
    );
    assert.match(seen, /changed\nmore\nsub\nnested\n$/);
  });
});

Deno.test("takeSnapshot() archives a commit, with its submodules", async () => {
  await withCopy(REPOSITORY + "git tag -a v1 -m 'the first'\n", async (folder, archives) => {
    const host = denoHost();
    const take = (commit: string) =>
      takeSnapshot(host, { workingCopy: `${folder}/wc`, folder: archives, commit, depth: 1 });
    const { commit, sources, submodules, changed } = await take("v1");
    assert.deepEqual([commit.branch, commit.tag, commit.tagMessage], [null, "v1", "the first"]);
    assert.equal(changed, false);
    const seen = await sh(
      folder,
      `mkdir out && cd out && tar -xf ${sources} && tar -xf ${submodules}
git status --short --ignore-submodules && git log --format=%s && git tag && cat file 'the sub/file' gone`,
    );
    assert.equal(seen, "three\nv1\ntwo\nsub\ngone\n");
    assert.equal((await take("HEAD~1")).commit.branch, "main");
    await assert.rejects(
      take("nowhere"),
      (error) =>
        error instanceof Failure && error.kind === "refused" && /nowhere/.test(error.message),
    );
  });
});

Deno.test("takeSnapshot() has the files of LFS, and says where they are missing", async (test) => {
  const missing = await missingLfs();
  if (missing !== null) return skipReal(test.name, missing);
  const script = `${NEW}new wc
git lfs track --lockable=false '*.bin' >/dev/null
echo large >a.bin && commit lfs
`;
  await withCopy(script, async (folder, archives) => {
    const take = (more: { commit?: string }) =>
      takeSnapshot(denoHost(), { workingCopy: `${folder}/wc`, folder: archives, ...more });
    for (const more of [{}, { commit: "HEAD" }]) {
      const { sources } = await take(more);
      assert.equal(await sh(folder, `tar -xOf ${sources} --wildcards '*a.bin'`), "large\n");
    }
    await sh(folder, "rm -r wc/.git/lfs wc/a.bin");
    await assert.rejects(take({ commit: "HEAD" }), {
      message: /lacks files of the commit that are in LFS: fatal: a\.bin/,
      hint: /git lfs fetch/,
    });
  });
});

/** Returns why LFS cannot be tested: the program or its entries in the configuration of all users may be missing. */
async function missingLfs(): Promise<string | null> {
  const found = await new Deno.Command("sh", {
    args: ["-c", "git lfs version && git config --system filter.lfs.process"],
  }).output();
  return found.code === 0 ? null : "git-lfs is not installed for all users";
}

Deno.test("takeSnapshot() gives a history of any depth, and hashes of files", async () => {
  await withCopy(REPOSITORY, async (folder, archives) => {
    const host = denoHost();
    const copy = { workingCopy: `${folder}/wc`, folder: archives };
    const snapshot = await takeSnapshot(host, copy);
    for (const [depth, subjects] of [[1, "three\n"], [0, "three\ntwo\none\n"]] as const) {
      const archive = await snapshot.history(depth);
      assert.equal(await snapshot.history(depth), archive);
      const script = `rm -rf h && mkdir h && cd h && tar -xf ${archive} && git log --format=%s`;
      assert.equal(await sh(folder, script), subjects);
    }
    const hash = await snapshot.hashFiles(["f*", "un tracked"]);
    assert.match(hash ?? "", /^[0-9a-f]{40}$/);
    assert.equal(await snapshot.hashFiles(["none", "ignored", "*/file"]), null);
    await sh(folder, "echo four >wc/file");
    const later = await takeSnapshot(host, copy);
    assert.notEqual(await later.hashFiles(["f*", "un tracked"]), hash);
    const committed = await takeSnapshot(host, { ...copy, commit: "HEAD" });
    assert.notEqual(await committed.hashFiles(["f*"]), null);
  });
});

Deno.test("takeSnapshot() says what is no working copy", async () => {
  await inFolder(async (folder) => {
    const take = (workingCopy: string) => takeSnapshot(denoHost(), { workingCopy, folder });
    await assert.rejects(
      take(folder),
      /Cannot read the working copy .*: fatal: not a git repository/,
    );
    await assert.rejects(take(`${folder}/none`), /no such folder/);
    await sh(folder, "git init --quiet empty");
    await assert.rejects(take(`${folder}/empty`), /it has no commit$/);
  });
});

Deno.test("takeSnapshot() runs neither hooks nor programs that a repository names", async () => {
  const script = `${REPOSITORY}
program() { printf '#!/bin/sh\\ntouch "%s/ran"\\n' "$top" >"$1" && chmod 755 "$1"; }
signed=$(git cat-file commit HEAD | sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----' |
  git hash-object -t commit -w --stdin)
git reset --quiet --hard "$signed"
program "$top/gpg" && git config log.showSignature true && git config gpg.program "$top/gpg"
mkdir -p .git/hooks && for hook in post-checkout reference-transaction post-index-change; do
  program ".git/hooks/$hook"
done
git config core.fsmonitor "touch $top/ran; true" && program git
`;
  await withCopy(script, async (folder, archives) => {
    await Deno.remove(`${folder}/ran`).catch(() => {});
    const host = { ...denoHost(), env: (name: string) => name === "PATH" ? ".:/bin" : undefined };
    await takeSnapshot(host, { workingCopy: `${folder}/wc`, folder: archives });
    await assert.rejects(Deno.stat(`${folder}/ran`), Deno.errors.NotFound);
    await sh(`${folder}/wc`, "git log -1 >/dev/null");
    await Deno.stat(`${folder}/ran`); // git alone would run them
  });
});

Deno.test("takeSnapshot() runs git as the owner of the working copy", async () => {
  if (Deno.uid() !== 0) return;
  await withCopy(`${NEW}new wc && echo x >file && commit x\n`, async (folder, archives) => {
    // git refuses a repository of somebody else, and nobody but its owner may read this one.
    await sh(folder, "chown -R 12345:12345 wc && chmod 700 wc && chmod 711 .");
    const copy = { workingCopy: `${folder}/wc`, folder: archives };
    const { sources, commit } = await takeSnapshot(denoHost(), copy);
    assert.equal(commit.message, "x");
    assert.equal((await Deno.stat(sources)).uid, 0);
  });
});

Deno.test("a snapshot knows the files that differ from the default branch", async () => {
  const script = `${NEW}new wc
echo one >one && echo two >two && commit one
git checkout --quiet -b topic && echo two >two && echo "new" >"new ä" && commit topic
git checkout --quiet main && echo later >one && commit later
git checkout --quiet topic
echo changed >two && rm one && echo untracked >untracked
`;
  await withCopy(script, async (folder, archives) => {
    const workingCopy = `${folder}/wc`;
    const changesOf = async (options: { readonly commit?: string } = {}) => {
      const own = await Deno.makeTempDir({ dir: archives });
      const snapshot = await takeSnapshot(denoHost(), { workingCopy, folder: own, ...options });
      return (await snapshot.changedFiles())?.toSorted() ?? null;
    };
    assert.deepEqual(await changesOf(), ["new ä", "one", "two", "untracked"]);
    assert.deepEqual(await changesOf({ commit: "topic" }), ["new ä"]);
    await sh(workingCopy, "git reset --quiet --hard && rm untracked && git checkout --quiet main");
    assert.equal(await changesOf(), null, "nothing is there to push");
    await sh(workingCopy, "git update-ref refs/remotes/origin/main main~1");
    assert.deepEqual(await changesOf(), ["one"], "a commit that is not pushed");
    await sh(workingCopy, "git tag v1 && git checkout --quiet v1");
    assert.equal(await changesOf(), null, "a tag");
    await sh(
      workingCopy,
      "git update-ref -d refs/remotes/origin/main && git checkout --quiet topic",
    );
    await sh(workingCopy, "git branch --quiet -D main");
    assert.equal(await changesOf(), null, "no default branch");
  });
});

Deno.test("takeSnapshot() takes no repository beside the working copy as its submodule", async () => {
  const script = `${NEW}(new other && echo private >file && commit other)
new wc && echo >.gitmodules && git add .
commit=$(git -C ../other rev-parse HEAD)
git update-index --add --cacheinfo "160000,$commit,$(printf 'a\\n160000 %s 0\\t../other' "$commit")"
git commit --quiet -m forged
`;
  await withCopy(script, async (folder, archives) => {
    for (const commit of [{}, { commit: "HEAD" }]) {
      const copy = { workingCopy: `${folder}/wc`, folder: archives, ...commit };
      assert.equal((await takeSnapshot(denoHost(), copy)).submodules, null);
    }
  });
});

Deno.test("takeSnapshot() says why git does not read a repository, not git's advice", async () => {
  if (Deno.uid() !== 0) return;
  await withCopy(`${NEW}new wc && echo x >file && commit x\n`, async (folder, archives) => {
    await sh(folder, "chown -R 12345:12345 wc && mkdir wc/of-root");
    const copy = { workingCopy: `${folder}/wc/of-root`, folder: archives };
    await assert.rejects(takeSnapshot(denoHost(), copy), /: fatal: detected dubious ownership/);
  });
});

/** The clean filter of a repository, which runs while git looks for changes. */
const FILTER = `${NEW}new wc && echo '* filter=own' >.gitattributes && echo x >file && commit x
git config filter.own.clean "$top/filter" && sleep 1 && echo y >file
`;

Deno.test("takeSnapshot() runs the owner's programs without group and terminal of root", async () => {
  if (Deno.uid() !== 0) return;
  const script = `top=$PWD
printf '#!/bin/sh\\n{ id -G; ps -o sid= -p $$; } >>"%s/out/ran"; cat' "$top" >filter && chmod 755 filter
mkdir -m 777 out
${FILTER}`;
  await withCopy(script, async (folder, archives) => {
    await sh(folder, "chown -R 12345:12345 wc && chmod 711 .");
    await takeSnapshot(denoHost(), { workingCopy: `${folder}/wc`, folder: archives });
    const [groups, session] = (await Deno.readTextFile(`${folder}/out/ran`)).split("\n");
    assert.equal(groups, "65534");
    const own = await sh(folder, "ps -o sid= -p $$");
    assert.notEqual(session?.trim(), own.trim(), "a terminal belongs to a session");
  });
});

Deno.test("takeSnapshot() ends what reads the working copy when interrupted", async () => {
  const script = `top=$PWD
printf '#!/bin/sh\\necho $$ >"%s/ran"; exec sleep 60' "$top" >filter && chmod 755 filter
${FILTER}`;
  await withCopy(script, async (folder, archives) => {
    const stop = new AbortController();
    const taken = takeSnapshot(denoHost(), {
      ...{ workingCopy: `${folder}/wc`, folder: archives, interrupt: stop.signal },
    });
    const failed = assert.rejects(taken);
    const pid = async () => (await Deno.readTextFile(`${folder}/ran`).catch(() => "")).trim();
    while (await pid() === "") await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    await failed;
    // Its parent may have ended before, so that it takes a moment until somebody waits for it.
    await sh(
      folder,
      `for try in $(seq 50); do kill -0 ${await pid()} || exit 0; sleep 0.1; done; exit 1`,
    );
  });
});

Deno.test("takeSnapshot() takes no files behind a link, and none that a sparse checkout leaves out", async () => {
  const script = `${NEW}mkdir other && echo other >other/a
new wc && mkdir folder left && echo a >folder/a && echo b >left/b && echo c >c && commit all
rm -r folder && ln -s ../other folder && git sparse-checkout set --no-cone /c
`;
  await withCopy(script, async (folder, archives) => {
    const copy = { workingCopy: `${folder}/wc`, folder: archives };
    const { sources, hashFiles } = await takeSnapshot(denoHost(), copy);
    const names = await sh(folder, `tar -t -f ${sources} | grep -v .git/ | LC_ALL=C sort`);
    assert.equal(names, "c\nfolder\n");
    assert.equal(await hashFiles(["folder/*", "left/*"]), null);
  });
});

Deno.test("takeSnapshot() does not fill the disk", async () => {
  const script = `${NEW}new wc && echo x >file && commit x && truncate -s 1T sparse\n`;
  await withCopy(script, async (folder, archives) => {
    const host = denoHost();
    const free = 256 * 1024 ** 2 + 1_000_000;
    const processes: Host["processes"] = {
      ...host.processes,
      capture: async (argv, options) => {
        const done = await host.processes.capture(argv, options);
        return argv[0] === "df" ? { ...done, stdout: `${free} ${free} - -\n` } : done;
      },
    };
    const copy = { workingCopy: `${folder}/wc`, folder: archives };
    await assert.rejects(takeSnapshot({ ...host, processes }, copy), /does not fit on the disk/);
    assert.equal((await Deno.stat(`${archives}/sources.tar`)).size, 1_000_000);
  });
});
