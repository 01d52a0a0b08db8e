/** Runs `functions/suggest-topics.ts` through an outage: failures, the fallback, and the recovery. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { localContext, runLocally } from './support/run-locally.ts'

await runLocally({ ai: { 'GET /topics': { topics: ['Signed requests'] } } }, async (gateway) => {
  const { handler } = await import('./functions/suggest-topics.ts')
  const outcomes: string[] = []
  const suggest = async () => {
    const outcome = await handler({ industry: 'software' }, localContext()).then(
      ({ source }) => `topics from the ${source}`,
      (error: Error) => error.message,
    )
    outcomes.push(outcome)
    console.log(`${outcomes.length}. ${outcome}`)
  }

  const heal = gateway.fail('ai *', { status: 503 })
  for (let call = 1; call <= 5; call += 1) await suggest()
  heal()
  await setTimeout(1_050)
  await suggest()

  const failed = 'ai: GET /topics: 503 Service Unavailable'
  const fallback = 'topics from the fallback'
  equal(outcomes, [failed, failed, failed, fallback, fallback, 'topics from the ai'])
  equal(gateway.requests.length, 4)
})
