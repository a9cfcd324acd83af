/** A neighbour of a host, which machines may or may not reach. */

import assert from "node:assert/strict";
import { until } from "../hosts/init_process.ts";
import type { Site } from "../hosts/site.ts";

/**
 * A peer of the host, in its own network namespace: it answers at an ordinary address, at the address of a cloud's
 * metadata service, and by IPv6. The host's default route for IPv6 leads to it.
 */
const PEER = `
ip netns add peer
ip link add to-peer type veth peer name side netns peer
ip address add 192.0.2.1/24 dev to-peer && ip address add 2001:db8::1/64 dev to-peer nodad
ip link set to-peer up
in_peer() { ip netns exec peer "$@"; }
in_peer ip link set lo up
in_peer ip address add 192.0.2.9/24 dev side && in_peer ip address add 2001:db8::9/64 dev side nodad
in_peer ip address add 169.254.169.254/32 dev lo
in_peer ip link set side up
ip route replace 169.254.169.254 dev to-peer
ip -6 route replace default via 2001:db8::9 dev to-peer
`;

const GONE = "ip netns del peer; ip link del to-peer 2>/dev/null; true";

/** Sends each client its own address. */
export const ANSWER = `import socketserver, socket, sys
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
class Who(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.client_address[0].encode() + b"\\n")
Server(("::", 7777), Who).serve_forever()
`;

/** Prints the answer of each address, or "none". */
export const ASK = (...addresses: string[]) =>
  `for address in ${addresses.join(" ")}; do
  answer=$(timeout 5 bash -c 'exec 3<>/dev/tcp/$0/7777 && head -1 <&3' "$address" 2>/dev/null)
  echo "$address \${answer:-none}"
done
`;

/** Runs a test with such a peer, and with the same server on the host itself. */
export async function withPeer(site: Site, body: () => Promise<void>): Promise<void> {
  const set = await site.host.exec(["sh", "-eu"], { stdin: PEER });
  assert.equal(set.code, 0, set.stderr);
  const answer = await site.put(ANSWER);
  const listeners = [
    site.host.start(["ip", "netns", "exec", "peer", "python3", answer], { timeout: 900_000 }),
    site.host.start(["python3", answer], { timeout: 900_000 }),
  ];
  try {
    const asked = ["bash", "-c", ASK("192.0.2.9", "127.0.0.1")];
    const up = await until(
      async () => /none/.test((await site.host.exec(asked)).stdout) ? null : true,
      60_000,
    );
    assert.ok(up, "the peers of the test answer");
    await body();
  } finally {
    for (const listener of listeners) await site.host.signal(listener, "SIGKILL");
    await Promise.all(listeners.map(({ ended }) => ended));
    await site.host.exec(["sh", "-c", GONE]);
  }
}
