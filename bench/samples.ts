/** What a benchmark has measured. */

/** What an action cost, in milliseconds. */
export interface Cost {
  readonly ms: number;
  /** CPU time of all processes; null where it is not measured. */
  readonly cpu: number | null;
}

/** Costs by group, such as a driver, and step, such as a call. */
export class Samples {
  readonly #groups = new Map<string, Map<string, Cost[]>>();

  add(group: string, step: string, cost: Cost): void {
    const steps = this.#groups.get(group) ?? new Map<string, Cost[]>();
    this.#groups.set(group, steps.set(step, [...(steps.get(step) ?? []), cost]));
  }

  /** Returns the costs of a step, in the order in which they were measured. */
  of(group: string, step: string): readonly Cost[] {
    return this.#groups.get(group)?.get(step) ?? [];
  }

  /** Returns all groups. */
  groups(): string[] {
    return [...this.#groups.keys()];
  }

  /** Returns the steps of a group, in the order in which they came first. */
  steps(group: string): string[] {
    return [...(this.#groups.get(group)?.keys() ?? [])];
  }

  /** Returns a quantile of a step's milliseconds; NaN where it was not measured. */
  ms(group: string, step: string, share = 0.5): number {
    return quantile(this.of(group, step).map(({ ms }) => ms), share);
  }

  /** Returns the median of a step's CPU time; NaN where it was not measured. */
  cpu(group: string, step: string): number {
    return quantile(this.of(group, step).map(({ cpu }) => cpu ?? NaN), 0.5);
  }
}

/**
 * Returns a quantile, interpolated between neighbours; NaN for no values.
 *
 * @param share 0.5 for the median.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}
