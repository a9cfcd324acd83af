/** Containers that a job runs in its machine, by Docker's engine and by podman. No registry is reached: images are made. */

import assert from "node:assert/strict";
import { must } from "../hosts/command.ts";
import { containersChroot } from "../hosts/roots.ts";
import { onEachHost } from "../hosts/shared.ts";
import { newJob, runScript } from "../hosts/site.ts";
import { PATIENCE, succeed, withStore } from "./store.ts";

const CONTAINERS = "containers";

/** Makes a root of busybox, and a context of a build; lets podman do without cgroup controllers, as the tests' hosts. */
const PREPARE = `set -e
mkdir -p /image/bin /context
cp /bin/busybox /image/bin/
cp /bin/busybox /context/
for name in cat echo httpd sh sleep wget; do ln -s busybox /image/bin/$name; done
tar -C /image -cf /image.tar .
cat >/context/Dockerfile <<END
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN echo built >/page
END
printf '[containers]\\npids_limit = 0\\n' >/etc/containers/containers.conf
`;

/** Arguments: the engine. Its containers find each other by name; what a build runs has a network, too. */
const ENGINE = `
try() {
  $1 import /image.tar small:1 >/dev/null
  $1 network create lan >/dev/null
  $1 run --detach --network=lan --name=server small:1 \\
    sh -c 'echo "a server answers" >/page; httpd -f -h /' >/dev/null
  $1 run --rm --network=lan small:1 \\
    sh -c 'for try in 1 2 3 4 5 6 7 8 9; do wget -T 5 -qO- http://server/page && exit; sleep 1; done'
  $1 exec server echo exec
  $1 build --quiet --tag=built:1 /context >/dev/null
  $1 run --rm --publish=8080:80 built:1 cat /page
}
`;

const DOCKER = `${ENGINE}try docker`;

/** Rules of Docker's engine drop what is sent in networks that are not its own. */
const PODMAN = `${ENGINE}
systemctl --quiet stop docker docker.socket
nft flush ruleset
try podman
systemctl start podman.socket
DOCKER_HOST=unix:///run/podman/podman.sock docker run --rm localhost/small:1 echo service
`;

/** podman of a user, whose network needs /dev/net/tun. */
const USER = `useradd --create-home ci
su - ci -c 'podman import /image.tar small:1 >/dev/null; podman run --rm small:1 echo user'
`;

onEachHost("jobs run and build containers by Docker's engine and by podman", async (site) => {
  await withStore(site, { boot: true, nesting: true }, async (own) => {
    await must(["mkdir", "-p", own.host.outerPath(own.store)]);
    const tree = own.host.outerPath(`${own.store}/${CONTAINERS}`);
    await must(["cp", "--archive", "--reflink=auto", await containersChroot(), tree], PATIENCE);
    const id = newJob();
    await succeed(own, "prepare", CONTAINERS, "--id", id);
    try {
      await output(PREPARE, "");
      await output(DOCKER, "a server answers\nexec\nbuilt\n");
      await output(PODMAN, "a server answers\nexec\nbuilt\nservice\n");
      await output(USER, "user\n");
    } finally {
      await succeed(own, "cleanup", "--id", id);
    }

    async function output(script: string, expected: string): Promise<void> {
      const { stdout, stderr } = await runScript(own, id, script, PATIENCE);
      assert.equal(stdout, expected, stderr);
    }
  });
});
