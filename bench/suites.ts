/** The measurements, and their numbers of rounds and runs. */
import type { ClientName } from './clients.ts'
import { type Contender, type Measured, measure } from './rounds.ts'
import type { SignerName } from './signing.ts'
import { byName } from './stats.ts'

/** Sequential JSON POSTs over loopback. Rounds are long, because the speed of a shared machine changes within 0.1 s. */
export function measureCalls<Name extends ClientName>(names: readonly Name[]): Promise<Measured<Name>> {
  return measure('calls', callers(names), { rounds: 16, count: 500, warmUp: 5_000, starts: 2 })
}

/** 1,000 parallel JSON POSTs over TLS, each time in new processes, so that every connection is new. */
export function measureCrowds<Name extends ClientName>(names: readonly Name[]): Promise<Measured<Name>> {
  const plan = { rounds: 1, count: 1_000, concurrency: 1_000, starts: 7, isTls: true }
  return measure('1,000 calls at once over TLS', callers(names), plan)
}

/** Runs in a round of signing, by the size of the body. */
const SIGNATURES: Readonly<Record<number, number>> = { 0: 2_000, 256: 2_000, 65536: 500, 1048576: 40 }

export const sizes: readonly number[] = Object.keys(SIGNATURES).map(Number)

export function measureSigning<Name extends SignerName>(names: readonly Name[], size: number): Promise<Measured<Name>> {
  const contenders = byName(names, (signer): Contender => ({ kind: 'signing', signer, size }))
  const count = SIGNATURES[size] as number
  return measure(`signing ${size} bytes`, contenders, { rounds: 15, count, warmUp: 5 * count, starts: 2 })
}

export function measureInvocations(): Promise<Measured<'without' | 'with'>> {
  const contenders = {
    without: { kind: 'invocation', services: 0 },
    with: { kind: 'invocation', services: 4 },
  } as const
  return measure('invocations', contenders, { rounds: 15, count: 10_000, warmUp: 30_000, starts: 2 })
}

export const LARGE = 5_000_000

/**
 * Growth of a process's memory by one call with a large body. It includes the caller's body, every copy of it, and
 * uncollected garbage.
 */
export function measureMemory(): Promise<Measured<'bytes' | 'text'>> {
  const contenders = {
    bytes: { kind: 'memory', client: 'client', size: LARGE, isText: false },
    text: { kind: 'memory', client: 'client', size: LARGE, isText: true },
  } as const
  return measure('memory', contenders, { rounds: 1, count: 1, starts: 9 })
}

function callers<Name extends ClientName>(names: readonly Name[]): Record<Name, Contender> {
  return byName(names, (client): Contender => ({ kind: 'call', client }))
}
