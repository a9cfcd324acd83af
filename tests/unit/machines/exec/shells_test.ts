import assert from "node:assert/strict";
import { chooseShells, type Shells } from "../../../../src/machines/exec/shells.ts";

/** A script, `--shell`, the chroot's shell, and the shells that are chosen. */
const CASES: readonly (readonly [string, string | undefined, string, Shells])[] = [
  ["echo", undefined, "bash", { programs: ["bash", "sh"], options: [] }],
  ["echo", undefined, "zsh", { programs: ["zsh"], options: [] }],
  ["#!/bin/sh\necho", "dash", "bash", { programs: ["dash"], options: [] }],
  ["#!/bin/sh -eu\n", undefined, "bash", { programs: ["/bin/sh"], options: ["-eu"] }],
  ["#! /usr/bin/env bash\n", undefined, "zsh", { programs: ["bash"], options: [] }],
  ["#!/usr/bin/env -S python3 -u\n", undefined, "x", { programs: ["python3"], options: ["-u"] }],
  ["#!/usr/bin/env pwsh\n", undefined, "bash", { programs: ["pwsh"], options: [] }],
  ["#!/usr/bin/env sh\neval $'a'", undefined, "x", { programs: ["bash", "sh"], options: [] }],
  ['#!/usr/bin/env sh\neval "a"', undefined, "x", { programs: ["sh"], options: [] }],
  ["#!\n", undefined, "bash", { programs: ["bash", "sh"], options: [] }],
];

for (const [script, argument, fallback, shells] of CASES) {
  Deno.test(`chooseShells() for ${JSON.stringify(script)}, --shell ${argument}, chroot's shell ${fallback}`, () => {
    assert.deepEqual(chooseShells(new TextEncoder().encode(script), argument, fallback), shells);
  });
}
