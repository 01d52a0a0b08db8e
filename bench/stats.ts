export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Measurements of each contender's rounds. */
export type Rounds<Name extends string, What extends string> = Record<Name, Readonly<Record<What, number>>[]>

/** Medians of a contender's rounds, and medians of their ratios and differences to a reference's rounds. */
export interface Summary<Name extends string, What extends string> {
  readonly of: (name: Name, what: What) => number
  readonly ratio: (name: Name, reference: Name, what: What) => number
  readonly difference: (name: Name, reference: Name, what: What) => number
}

/** Compares round by round, because a disturbance of the machine affects both contenders of a round. */
export function summarize<Name extends string, What extends string>(rounds: Rounds<Name, What>): Summary<Name, What> {
  const values = (name: Name, what: What) => rounds[name].map((round) => round[what])
  const compare = (combine: (a: number, b: number) => number) => (name: Name, reference: Name, what: What) => {
    const references = values(reference, what)
    return median(values(name, what).map((value, index) => combine(value, references[index] ?? Number.NaN)))
  }
  return {
    of: (name, what) => median(values(name, what)),
    ratio: compare((a, b) => a / b),
    difference: compare((a, b) => a - b),
  }
}

export function byName<Name extends string, Value>(
  names: readonly Name[],
  create: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, create(name)])) as Record<Name, Value>
}
