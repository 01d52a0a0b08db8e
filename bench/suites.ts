/** What is measured, and how often. */
import type { ClientName } from './clients.ts'
import { type Contender, type Measured, measure, type Plan } from './rounds.ts'
import type { SignerName } from './signing.ts'

/** Long rounds: a machine that is shared changes its pace from one tenth of a second to the next. */
const CALLS: Plan = { rounds: 16, count: 500, warmUp: 5_000, starts: 2 }

/** How many runs a round of signing has, for each size of body. */
const SIGNATURES: Readonly<Record<number, number>> = { 0: 2_000, 256: 2_000, 65536: 500, 1048576: 40 }

export const sizes: readonly number[] = Object.keys(SIGNATURES).map(Number)

/** By how many of four clients are touched; `without` the middleware, and with one that does nothing, to compare. */
const invocations = {
  without: { kind: 'invocation', services: 0, touched: 0 },
  nothing: { kind: 'invocation', services: 0, touched: 0, isHooked: true },
  none: { kind: 'invocation', services: 4, touched: 0 },
  one: { kind: 'invocation', services: 4, touched: 1 },
  four: { kind: 'invocation', services: 4, touched: 4 },
} satisfies Record<string, Contender>

export type InvocationName = keyof typeof invocations

/** One JSON POST after the other over loopback. */
export function measureCalls<Name extends ClientName>(names: readonly Name[]): Promise<Measured<Name>> {
  return measure('calls', callers(names), CALLS)
}

/** 1,000 calls at once. */
export function measureCrowds<Name extends ClientName>(names: readonly Name[]): Promise<Measured<Name>> {
  const plan = { rounds: 12, count: 1_000, concurrency: 1_000, warmUp: 1_000 }
  return measure('1,000 calls at once', callers(names), plan)
}

export function measureSigning<Name extends SignerName>(names: readonly Name[], size: number): Promise<Measured<Name>> {
  const contenders = byName(names, (signer): Contender => ({ kind: 'signing', signer, size }))
  const count = SIGNATURES[size] as number
  const plan = { rounds: 15, count, warmUp: 5 * count, starts: 2 }
  return measure(`signing ${size} bytes`, contenders, plan)
}

export function measureInvocations(): Promise<Measured<InvocationName>> {
  return measure('invocations', invocations, { rounds: 15, count: 10_000, warmUp: 30_000, starts: 2 })
}

/** In a heap so large that no garbage is collected during a round. */
export function measureAllocations(): Promise<Measured<InvocationName>> {
  const execArgv = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']
  return measure('bytes allocated', invocations, { rounds: 5, count: 2_000, warmUp: 20_000, execArgv })
}

function callers<Name extends ClientName>(names: readonly Name[]): Record<Name, Contender> {
  return byName(names, (client): Contender => ({ kind: 'call', client }))
}

function byName<Name extends string, Value>(
  names: readonly Name[],
  create: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, create(name)])) as Record<Name, Value>
}
