import assert from "node:assert/strict";
import { portsToCheck } from "../../../src/services/ports.ts";

Deno.test("portsToCheck() returns the TCP ports of an image, each once, the lowest first", () => {
  assert.deepEqual(portsToCheck(["5433/tcp", "5432/TCP", "53/udp", "80", "5432"], ["A=b"]), [
    80,
    5432,
    5433,
  ]);
  assert.deepEqual(portsToCheck([], []), []);
});

Deno.test("portsToCheck() returns the ports of ranges, of all no more than 20", () => {
  assert.deepEqual(portsToCheck(["8003/tcp", "8000-8002/tcp", "9000-9001/udp"], []), [
    8000,
    8001,
    8002,
    8003,
  ]);
  const lowest = Array.from({ length: 20 }, (_, index) => index + 1);
  assert.deepEqual(portsToCheck(["1000-65535/tcp", "1-65535", "3-1"], []), lowest);
  assert.deepEqual(portsToCheck(["65534-65539"], []), [65_534, 65_535]);
});

Deno.test("portsToCheck() skips what is no port", () => {
  assert.deepEqual(portsToCheck(["", "x/tcp", "0", "65536", "80/sctp", "1/tcp/tcp", "-1"], []), []);
});

Deno.test("portsToCheck() returns the port of the variable instead, in upper case or lower case", () => {
  const check = (...environment: string[]) => portsToCheck(["80/tcp", "81/tcp"], environment);
  assert.deepEqual(check("A=1", "HEALTHCHECK_TCP_PORT=8080"), [8080]);
  assert.deepEqual(check("healthcheck_tcp_port=8081", "HEALTHCHECK_TCP_PORT=8080"), [8081]);
  assert.deepEqual(check("MY_HEALTHCHECK_TCP_PORT=1"), [80, 81]);
});

Deno.test("portsToCheck() refuses a variable that is no port", () => {
  for (const text of ["", "http", "0", "65536", "80/tcp", " 80", "8080\n", "-1"]) {
    assert.throws(() => portsToCheck(["80"], [`HEALTHCHECK_TCP_PORT=${text}`]), {
      kind: "refused",
      message: `Cannot use HEALTHCHECK_TCP_PORT=${JSON.stringify(text)}: it is no port`,
    });
  }
});
