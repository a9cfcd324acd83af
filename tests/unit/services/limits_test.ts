import assert from "node:assert/strict";
import type { Config, Limits } from "../../../src/config/settings.ts";
import { limitsWithServices } from "../../../src/services/limits.ts";
import { recordingHost } from "../recording_host.ts";

const LIMITS: Limits = {
  cpu_weight: 50,
  memory_high: "80%",
  memory_max: "2G",
  swap_max: "infinity",
  cpu_quota: "150%",
  io_weight: 1,
  tasks_max: "16384",
  disk_max: "3G",
};

const NONE: Config["service_limits"] = {
  cpu_weight: undefined,
  memory_high: undefined,
  memory_max: undefined,
  swap_max: undefined,
  cpu_quota: undefined,
  io_weight: undefined,
  tasks_max: undefined,
  disk_max: undefined,
};

interface Case {
  readonly shared?: boolean;
  readonly count?: number;
  readonly limits?: Partial<Limits>;
  readonly own?: Partial<Config["service_limits"]>;
}

/** Returns limits on a host with 100 GB of memory, and numbers of processes up to 32768. */
async function limitsOf({ shared = false, count = 1, limits = {}, own = {} }: Case) {
  const stdout = "MemTotal:       100000000 kB\nMemFree:  1 kB\n4194304\n32768\n";
  const { host } = recordingHost({ answer: () => ({ stdout }) });
  return await limitsWithServices(
    host,
    { service_limits: { ...NONE, ...own }, limits_shared: shared },
    { ...LIMITS, ...limits },
    count,
  );
}

Deno.test("limitsWithServices() gives each service half of the job's limits, which the job keeps", async () => {
  for (const count of [1, 4]) {
    assert.deepEqual(await limitsOf({ count }), {
      job: LIMITS,
      services: {
        cpu_weight: 25,
        memory_high: "40%",
        memory_max: "1G",
        swap_max: "infinity",
        cpu_quota: "75%",
        io_weight: 1,
        tasks_max: "8192",
        disk_max: "1536M",
      },
    });
  }
});

Deno.test("limitsWithServices() rounds down, but to nothing that a machine could not have", async () => {
  const limits = {
    memory_high: "1%",
    memory_max: "1025",
    tasks_max: "1",
    disk_max: "16M",
  } as const;
  const { services } = await limitsOf({ limits: { ...limits, swap_max: "3K", cpu_quota: "1%" } });
  assert.deepEqual(services, {
    cpu_weight: 25,
    memory_high: "1%",
    memory_max: "512",
    swap_max: "1536",
    cpu_quota: "1%",
    io_weight: 1,
    tasks_max: "1",
    disk_max: "16M",
  });
});

Deno.test("limitsWithServices() takes the limits of the configuration, also above the job's", async () => {
  const own = { memory_max: "64G", cpu_weight: 7, disk_max: "infinity" };
  const { job, services } = await limitsOf({ own });
  assert.deepEqual(job, LIMITS);
  assert.deepEqual([services.memory_max, services.cpu_weight, services.disk_max], [
    "64G",
    7,
    "infinity",
  ]);
  assert.equal(services.memory_high, "40%");
});

Deno.test("limitsWithServices() gives a job and its services no more than the job alone where limits are shared", async () => {
  assert.deepEqual(await limitsOf({ shared: true, count: 4 }), {
    job: {
      cpu_weight: 25,
      memory_high: "40%",
      memory_max: "1G",
      swap_max: "infinity",
      cpu_quota: "75%",
      io_weight: 1,
      tasks_max: "8192",
      disk_max: "1536M",
    },
    services: {
      cpu_weight: 6,
      memory_high: "10%",
      memory_max: "256M",
      swap_max: "infinity",
      cpu_quota: "18%",
      io_weight: 1,
      tasks_max: "2048",
      disk_max: "384M",
    },
  });
});

/** A limit of the job, the configuration's for services, and what a service gets of shared limits, as one of two. */
const SHARED: readonly (readonly [keyof Limits, string, string, string])[] = [
  ["memory_max", "8G", "1G", "1G"],
  ["memory_max", "8G", "3G", "2G"],
  ["memory_max", "8G", "infinity", "2G"],
  ["memory_max", "infinity", "3G", "3G"],
  ["memory_max", "infinity", "infinity", "infinity"],
  ["memory_high", "80%", "10%", "10%"],
  ["memory_high", "80%", "30%", "20%"],
  ["memory_high", "80%", "20G", "20%"],
  ["memory_high", "80%", "19G", "19G"],
  ["swap_max", "40G", "11%", "10G"],
  ["swap_max", "40G", "9%", "9%"],
  ["swap_max", "0", "1G", "0"],
  ["swap_max", "40G", "0", "0"],
  ["cpu_quota", "400%", "101%", "100%"],
  ["cpu_quota", "400%", "99%", "99%"],
  ["tasks_max", "4000", "5%", "1000"],
  ["tasks_max", "4000", "3%", "3%"],
  ["tasks_max", "40%", "3276", "3276"],
  ["tasks_max", "40%", "3277", "10%"],
  ["disk_max", "4G", "2G", "1G"],
];

for (const [key, limit, own, expected] of SHARED) {
  Deno.test(`limitsWithServices() gives one of two services ${key} ${expected} of shared ${limit}, with ${own}`, async () => {
    const { services } = await limitsOf({
      shared: true,
      count: 2,
      limits: { [key]: limit },
      own: { [key]: own },
    });
    assert.equal(services[key], expected);
  });
}

Deno.test("limitsWithServices() lowers shared weights to those of the configuration", async () => {
  const limits = { cpu_weight: 100, io_weight: 100 };
  const { job, services } = await limitsOf({
    shared: true,
    limits,
    own: { cpu_weight: 10, io_weight: 200 },
  });
  assert.deepEqual([job.cpu_weight, services.cpu_weight, services.io_weight], [50, 10, 50]);
});
