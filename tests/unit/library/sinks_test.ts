import assert from "node:assert/strict";
import { MAX_TEXT, sinkOf } from "../../../src/library/sinks.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("sinkOf() keeps text, also of characters that two pieces share", async () => {
  const sink = sinkOf("text", "stdout");
  const [first, ...others] = bytes("ü!");
  assert.ok(await sink.take(new Uint8Array([first!])));
  assert.ok(await sink.take(new Uint8Array(others)));
  sink.release();
  assert.equal(sink.text(), "ü!");
});

Deno.test("sinkOf() refuses more text than a result has", async () => {
  const sink = sinkOf("text", "stdout");
  await sink.take(new Uint8Array(MAX_TEXT));
  await assert.rejects(sink.take(new Uint8Array(1)), { kind: "refused", hint: /inherit/ });
});

Deno.test("sinkOf() drops output", async () => {
  const sink = sinkOf("null", "stderr");
  assert.ok(await sink.take(bytes("x")));
  sink.release();
  assert.equal(sink.text(), "");
});

Deno.test("sinkOf() passes pieces to a stream, waits for it, and leaves it open", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const reader = readable.getReader();
  for (const text of ["one", "two"]) {
    const sink = sinkOf(writable, "stdout");
    const taken = sink.take(bytes(text));
    assert.deepEqual((await reader.read()).value, bytes(text));
    assert.ok(await taken);
    sink.release();
    assert.equal(sink.text(), "");
  }
  assert.equal(writable.locked, false);
});

Deno.test("sinkOf() throws what a stream throws", async () => {
  const write = () => Promise.reject(new Error("full"));
  const sink = sinkOf(new WritableStream({ write }), "stdout");
  await assert.rejects(sink.take(bytes("x")), /full/);
});
