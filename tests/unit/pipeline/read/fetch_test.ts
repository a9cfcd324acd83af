import assert from "node:assert/strict";
import { notFetched } from "../../../../src/pipeline/read/fetch.ts";

Deno.test("notFetched() gives the reason of Python and of git", () => {
  const reasonOf = (stderr: string) => notFetched("x", { stderr }).message.split("fetched: ")[1];
  const url =
    "Traceback:\n  File\nurllib.error.URLError: <urlopen error [Errno 113] No route to host>\n";
  assert.equal(reasonOf(url), "No route to host");
  assert.equal(
    reasonOf("urllib.error.HTTPError: HTTP Error 404: Not Found\n"),
    "HTTP Error 404: Not Found",
  );
  assert.equal(reasonOf("fatal: repository 'x' not found\n"), "fatal: repository 'x' not found");
  assert.equal(
    notFetched("x", new Error("broken")).message,
    "it includes x, which cannot be fetched: broken",
  );
});
