/** Calls that programs make beside a tracer. `run-program.ts` has the services. */
import type { ServiceClient } from '../../../src/index.ts'

/** `integration` is reached over TLS. */
type Clients = Readonly<Record<'ai' | 'integration', ServiceClient>>

export async function makeCalls({ ai, integration }: Clients): Promise<void> {
  await ai.get('jobs/get').json()
  await ai.post('jobs', { json: { topic: 'ü' } }).json()
  await (await ai.fetch('jobs/fetch')).json()
  await Promise.all(['1', '2', '3'].map((id) => ai.get(`jobs/side-by-side-${id}`).json()))
  // The first response is a 503.
  await ai.get('busy').json()
  await integration.get('jobs/tls').json()
}

/** Resolves with the code or name of each error. */
export async function makeFailingCalls({ ai }: Pick<Clients, 'ai'>): Promise<unknown[]> {
  const once = { retry: 0 }
  const calls = [
    ai.get('denied'),
    ai.get('hang/timed-out', { timeout: 300, ...once }),
    ai.get('hang/aborted', { signal: AbortSignal.timeout(300) }),
    ai.get('hang-in-body', { timeout: 300, ...once }).text(),
    ai.get('reset', once),
  ]
  const outcomes = await Promise.allSettled(calls)
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? nameOf(outcome.reason) : 'no error'))
}

function nameOf({ code, name }: { readonly code?: unknown; readonly name: string }): unknown {
  return typeof code === 'string' ? code : name
}
