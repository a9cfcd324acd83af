/** Images of services as pipelines for the docker executor use them, and an image of their clients. */

import { type ImageSpec, pushKeptImage } from "./images.ts";
import type { Registry } from "./registry.ts";
import { databasesRoot } from "./roots.ts";

/** The images by their names in a registry. */
export const SERVICE_IMAGES = {
  /** PostgreSQL 15, with the variables of the well-known image. */
  postgres: "postgres:16",
  /** Redis, as its own user. */
  redis: "redis:7",
  /** busybox with an HTTP server on port 80, which runs what is posted to /cgi-bin/run in its shell. */
  web: "web:1",
  /** busybox, which exposes no port. */
  box: "box:1",
  /** Stands for a Debian in which a job has installed psql and redis-cli. */
  client: "debian:trixie-slim",
} as const;

/** The name of one of these images. */
export type ServiceImage = keyof typeof SERVICE_IMAGES;

/** Pushes one of these images to a registry, by default with its own name. */
export async function pushService(
  registry: Registry,
  image: ServiceImage,
  name: string = SERVICE_IMAGES[image],
): Promise<void> {
  await pushKeptImage(registry, name, await SPECS[image]());
}

/** The entrypoint of the image of PostgreSQL: the first start makes the database, and listens to nobody meanwhile. */
const POSTGRES_ENTRYPOINT = `#!/bin/bash
set -e
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown postgres: "$PGDATA" /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
make_database() {
  user=\${POSTGRES_USER:-postgres}
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    echo "Error: Database is uninitialized and superuser password is not specified." >&2
    exit 1
  fi
  initdb --no-sync --encoding=UTF8 --locale=C --username="$user" --pwfile=<(printf '%s\\n' "$POSTGRES_PASSWORD")
  printf '\\nhost all all all %s\\n' "\${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
  pg_ctl start --wait --options="-c listen_addresses=''"
  [ "\${POSTGRES_DB:-$user}" = postgres ] ||
    psql --username="$user" --dbname=postgres --command="CREATE DATABASE \\"\${POSTGRES_DB:-$user}\\""
  pg_ctl stop --wait --mode=fast
}
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then make_database; fi
exec "$@"
`;

/** busybox resolves names of /etc/hosts only with this file. */
const NAMES = "mkdir -p etc; echo 'hosts: files dns' >etc/nsswitch.conf";

/** Runs a script of sh, and answers with its output. */
const CGI = `mkdir -p www/cgi-bin
cat >www/cgi-bin/run <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
head -c "$CONTENT_LENGTH" | sh 2>&1
END
chmod 755 www/cgi-bin/run`;

const SPECS: Readonly<Record<ServiceImage, () => Promise<ImageSpec>>> = {
  postgres: async () => ({
    root: await databasesRoot(),
    layers: [
      `mkdir -p usr/local/bin; cat >usr/local/bin/docker-entrypoint.sh <<'END_OF_ENTRYPOINT'
${POSTGRES_ENTRYPOINT}END_OF_ENTRYPOINT
chmod 755 usr/local/bin/docker-entrypoint.sh`,
    ],
    config: [
      "--config.env=PATH=/usr/local/bin:/usr/bin:/bin",
      "--config.env=PGDATA=/var/lib/postgresql/data",
      "--config.volume=/var/lib/postgresql/data",
      "--config.stopsignal=SIGINT",
      "--config.exposedports=5432/tcp",
      "--config.entrypoint=docker-entrypoint.sh",
      "--config.cmd=postgres",
    ],
  }),
  redis: async () => ({
    root: await databasesRoot(),
    config: [
      "--config.user=redis",
      "--config.workingdir=/var/lib/redis",
      "--config.exposedports=6379/tcp",
      ...["redis-server", "--protected-mode", "no"].map((word) => `--config.cmd=${word}`),
    ],
  }),
  web: () =>
    Promise.resolve({
      layers: [NAMES, "mkdir www; echo 'it works' >www/index.html", CGI],
      config: [
        "--config.exposedports=80/tcp",
        ...["httpd", "-f", "-p", "80", "-h", "/www"].map((word) => `--config.cmd=${word}`),
      ],
    }),
  box: () =>
    Promise.resolve({ layers: [NAMES], config: ["--config.cmd=sleep", "--config.cmd=1000"] }),
  client: async () => ({ root: await databasesRoot() }),
};
