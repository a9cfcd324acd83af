/** A planned service for tests. */

import type { PlannedService } from "../../../src/app/service_plan.ts";
import { treeAsLower } from "../../../src/machines/record/lower.ts";
import { machineName, serviceName } from "../../../src/machines/record/name.ts";
import type { BaseTree, MachinePlan } from "../../../src/machines/record/plan.ts";
import { planOf } from "../machines/fixture.ts";

/** What a test chooses of a service. */
export interface ServiceChoice {
  readonly name: string;
  readonly ports?: readonly number[];
  /** The folder of the store; default: of none. */
  readonly store?: string;
  /** From 1. */
  readonly number?: number;
  /** Whether its systemd starts the servers. */
  readonly boots?: boolean;
  /** Whether its image has a test of its health. */
  readonly isTested?: boolean;
  readonly plan?: Partial<MachinePlan>;
}

/** Returns a service of job 42, whose image is its only alias. */
export function plannedService(choice: ServiceChoice): PlannedService {
  const { name, ports = [], store = "/store", number = 1, boots = false, plan = {} } = choice;
  const healthcheck = choice.isTested ? ["test"] : [];
  const program = boots ? null : {
    words: ["serve"],
    environment: ["A=b"],
    workingDir: "",
    healthcheck,
    ports: [],
  };
  const helper = { path: `${store}/helper`, runner: null, binds: [] };
  const tree: BaseTree = {
    ...{ name, path: `${store}/${name}`, lower: treeAsLower(`${store}/${name}`) },
    ...{ user: "", environment: [], generation: 1, isImmutable: true, process: null },
    ...(program === null ? { helper: null } : { helper, program }),
  };
  const options = { entrypoint: null, pullPolicies: [], user: null, platform: null };
  return {
    service: { name, alias: "", entrypoint: null, command: [], variables: [], options },
    aliases: [name],
    plan: planOf(store, {
      name: serviceName(machineName("42", undefined), number),
      tree: () => Promise.resolve(tree),
      ...plan,
    }),
    program,
    ports,
  };
}
