import assert from "node:assert/strict";
import { pullFailure } from "../../../../src/images/store/pull_failure.ts";
import { parseReference } from "../../../../src/images/request/reference.ts";

const REFERENCE = parseReference("ruby:9.9")!;

/** Messages of skopeo 1.4 to 1.18. */
const REFUSED = [
  "reading manifest 9.9 in docker.io/library/ruby: manifest unknown",
  "reading manifest 9.9 in docker.io/library/ruby: name unknown: repository name not known to registry",
  "reading manifest 9.9 in docker.io/library/ruby: errors:\\ndenied: requested access to the resource is denied\\nunauthorized: authentication required",
  "unable to retrieve auth token: invalid username/password: unauthorized: HTTP Basic: Access denied",
  "Requesting bearer token: received unexpected HTTP status: 403 Forbidden",
  'no image found in manifest list for architecture "amd64", variant "", OS "linux"',
];

const HOST = [
  "received unexpected HTTP status: 500 Internal Server Error",
  "received unexpected HTTP status: 503 Service Unavailable",
  "toomanyrequests: You have reached your pull rate limit",
  "writing blob: storing blob to file: write /x: no space left on device",
  "Digest did not match, expected sha256:a, got sha256:b",
  "tls: failed to verify certificate: x509: certificate signed by unknown authority",
];

const NETWORK = [
  'pinging container registry a:5000: Get "http://a:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused',
  'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
  "read tcp 10.0.0.2:1->10.0.0.1:443: read: connection reset by peer",
  "copying system image from manifest list: reading blob sha256:a: unexpected EOF",
  'Get "https://a/v2/": net/http: TLS handshake timeout',
  'committing the finished image: image with ID "a" already exists, but uses a different top layer: that ID is already in use',
];

Deno.test("pullFailure() tells whose fault a failure is, and what a retry may mend", () => {
  const kinds = (messages: readonly string[]) =>
    messages.map((message) => {
      const { failure, isTransient } = pullFailure(REFERENCE, message);
      assert.match(failure.message, /^Cannot pull image ruby:9.9: /);
      assert.ok(failure.hint !== undefined);
      return `${failure.kind}${isTransient ? " again" : ""}`;
    });
  assert.deepEqual(kinds(REFUSED), REFUSED.map(() => "refused"));
  assert.deepEqual(kinds(HOST), HOST.map(() => "host"));
  assert.deepEqual(kinds(NETWORK), NETWORK.map(() => "host again"));
});

Deno.test("pullFailure() takes no word of an image's name for a reason", () => {
  const kindOf = (name: string, reason: string) =>
    pullFailure(parseReference(name)!, reason).failure.kind;
  const missing = "reading manifest 429 in a.example/app: manifest unknown";
  assert.equal(kindOf("a.example/app:429", missing), "refused");
  const limited = "reading manifest 1 in a.example/app: StatusCode: 429, slow down";
  assert.equal(kindOf("a.example/app:1", limited), "host");
  const refused = "Requesting bearer token: invalid status code from registry 403 (Forbidden)";
  assert.equal(kindOf("a.example/app:1", refused), "refused");
  const untrusted =
    "reading manifest denied in a.example/forbidden/eof: x509: certificate signed by unknown authority";
  const { failure, isTransient } = pullFailure(
    parseReference("a.example/forbidden/eof:denied")!,
    untrusted,
  );
  assert.deepEqual([failure.kind, isTransient], ["host", false]);
});

/** What skopeo prints where a registry and its mirrors fail. */
const throughMirrors = (mirrors: string, own: string) =>
  `(Mirrors also failed: ${mirrors}): docker.io/library/ruby:9.9: ${own}`;

const UNREACHABLE = "pinging container registry registry-1.docker.io: dial tcp: i/o timeout";
const DENIED = "unauthorized: authentication required";

Deno.test("pullFailure() names the mirror that denies access where the registry itself is not reached", () => {
  const missing = "[m.example/denied/x:1: reading manifest 1 in m.example/denied/x: name unknown]";
  const denying = `[m.example:5000/hub/x:1: reading manifest 1 in m.example:5000/hub/x: ${DENIED}]`;
  const hintOf = (mirrors: string, own: string) => {
    const { failure: { kind, hint } } = pullFailure(REFERENCE, throughMirrors(mirrors, own));
    return `${kind}: ${hint}`;
  };
  const login = "skopeo login --authfile /root/.config/containers/auth.json m.example:5000";
  const expected = `host: Its mirror m.example:5000 denies access: ${login}`;
  assert.equal(hintOf(`${missing}\\n${denying}`, UNREACHABLE), expected);
  assert.equal(hintOf(missing, UNREACHABLE), "host: Is docker.io reachable from this host?");
  assert.match(hintOf("[m.example/x:1: connection refused]", DENIED), /^refused: Check its name/);
});
