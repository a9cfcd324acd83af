import assert from "node:assert/strict";
import { download, notFetched } from "../../../../src/pipeline/read/fetch.ts";
import { recordingHost } from "../../recording_host.ts";

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

Deno.test("download() checks the integrity of the bytes", async () => {
  const { host } = recordingHost({ real: ["python3"] });
  const url = "data:,a%0Ab%ff%0A";
  const bytes = new Uint8Array([97, 10, 98, 0xff, 10]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const integrity = `sha256-${btoa(String.fromCharCode(...digest))}`;
  for (const given of [integrity, undefined]) {
    assert.equal(await download(host, url, given), "a\nb\ufffd\n");
  }
  await assert.rejects(download(host, url, "sha256-x"), {
    message: `it includes ${url}, whose integrity is ${integrity} instead of sha256-x`,
  });
});
