import assert from "node:assert/strict";
import { main } from "../../../src/cli/main.ts";
import { appendRecord } from "../../../src/history/append.ts";
import { recordOf } from "../history/fixture.ts";
import { inFolder } from "../recording_host.ts";
import { scene } from "./fixture.ts";

Deno.test("report prints tables of the last week, or writes a page", () =>
  inFolder(async (folder) => {
    const { host, store, out, err } = await scene(folder);
    assert.equal(await main(["report"], host), 0);
    assert.equal(err(), "No job ended in this time. A longer one: --since 30d\n");
    await appendRecord(host, store, recordOf({ ended: "2029-12-30T00:00:00.000Z" }));
    await appendRecord(host, store, recordOf({ ended: "2029-12-01T00:00:00.000Z" }));
    await host.files.append(`${store}/.history/2029-12-30.jsonl`, "{");
    assert.equal(await main(["report"], host), 0);
    assert.match(out(), /^success +1 +100\.0 %$/m);
    assert.match(err(), /^Lines of the history that cannot be read: 1$/m);
    const page = `${folder}/report.html`;
    assert.equal(await main(["report", "--since", "90d", "--html", page], host), 0);
    assert.equal((await Deno.stat(page)).mode! & 0o777, 0o600, "it names projects");
    assert.match(await Deno.readTextFile(page), /<p>2 jobs that ended from 2029-10-03/);
  }));
