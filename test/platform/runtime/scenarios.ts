/** What functions go through in their runtime. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Deployment,
  type Example,
  type Finding,
  healthCheck,
  INVOCATIONS,
  inspect,
  publishBlogPost,
  withFunction,
} from './functions.ts'
import type { Ending } from './proxy.ts'
import type { Invocation } from './runtime-api.ts'

interface Outcome extends Finding {
  /** Further counts, in words. */
  readonly details: string
}

export type Scenario = (taskRoot: string) => Promise<Outcome>

const CONCURRENCY = 16

/** Longest time that a service takes side by side with others, in milliseconds. */
const MAX_DELAY_MS = 10

/** How often each freeze is repeated. */
const REPEATS = 6

/** Milliseconds that a runtime stays frozen. */
const FROZEN_MS = 40

/** How idle connections end meanwhile. */
const FATES = ['left open', 'closed', 'reset'] as const satisfies readonly (Ending | 'left open')[]

/** What happens to a frozen runtime; the thaw brings everything that came before it, in that order. */
const ORDERS = [
  ['invoke', 'end', 'thaw'],
  ['end', 'invoke', 'thaw'],
  ['end', 'thaw', 'invoke'],
] as const

const oneAtATime: Scenario = (taskRoot) =>
  withFunction({ taskRoot, example: publishBlogPost }, async (deployment) => {
    const { api, maxCalls } = deployment
    const invocations = await invokeInLanes(deployment, 1)
    const details = `at most ${api.maxInFlight()} invocation and ${maxCalls()} call in flight`
    return { ...(await inspect(deployment, invocations)), details }
  })

/** On two threads: so invocations share a thread, and a process. */
const sideBySide: Scenario = (taskRoot) => {
  const env = { AWS_LAMBDA_MAX_CONCURRENCY: `${CONCURRENCY}`, AWS_LAMBDA_NODEJS_WORKER_COUNT: '2' }
  const delay = () => Math.random() * MAX_DELAY_MS
  return withFunction({ taskRoot, example: publishBlogPost, env, delay }, async (deployment) => {
    const { api, maxCalls } = deployment
    const finding = await inspect(deployment, await invokeInLanes(deployment, CONCURRENCY))
    const problems = [...finding.problems]
    if (api.maxInFlight() !== CONCURRENCY) problems.push(`only ${api.maxInFlight()} invocations were in flight`)
    if (maxCalls() < 2) problems.push('no calls were in flight at the same time')
    const details = `at most ${api.maxInFlight()} invocations and ${maxCalls()} calls in flight`
    return { ...finding, problems, details }
  })
}

/** A runtime that is frozen between its invocations, while its idle connections are left alone, closed or reset. */
const freezes =
  (example: Example, env: Readonly<Record<string, string>> = {}): Scenario =>
  (taskRoot) =>
    withFunction({ taskRoot, example, env }, async (deployment) => {
      const { api, proxy, runtime } = deployment
      const invocations = new Map<string, Invocation>()
      let ended = 0
      let roundsWithEnd = 0
      const steps = (fate: (typeof FATES)[number]) => ({
        invoke: () => void invoke(deployment, invocations),
        end: () => {
          if (fate === 'left open') return
          roundsWithEnd += 1
          ended += proxy.end(fate)
        },
        thaw: async () => {
          await sleep(FROZEN_MS)
          runtime.thaw()
        },
      })
      const rounds = Array.from({ length: REPEATS }, () =>
        FATES.flatMap((fate) => ORDERS.map((order) => ({ fate, order }))),
      ).flat()

      await settle(invoke(deployment, invocations))
      for (const { fate, order } of rounds) {
        await api.idle()
        await runtime.freeze()
        const act = steps(fate)
        for (const step of order) await act[step]()
        await settle([...invocations.values()].at(-1) as Invocation)
      }
      const finding = await inspect(deployment, invocations)
      const problems = [...finding.problems]
      if (ended < roundsWithEnd) problems.push(`only ${ended} connections were open in ${roundsWithEnd} rounds`)
      const details = `${rounds.length} rounds, ${ended} idle connections closed or reset`
      return { ...finding, problems, details }
    })

/** The runtime client's other way to ask for invocations, on the event loop instead of a separate thread. */
const ON_EVENT_LOOP = { AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true' }

export const scenarios: ReadonlyMap<string, Scenario> = new Map([
  ['one at a time', oneAtATime],
  [`${CONCURRENCY} side by side`, sideBySide],
  ['frozen, then POST first', freezes(publishBlogPost)],
  ['frozen, then GETs', freezes(healthCheck)],
  ['frozen, then POST first, invoked on the event loop', freezes(publishBlogPost, ON_EVENT_LOOP)],
  ['frozen, then GETs, invoked on the event loop', freezes(healthCheck, ON_EVENT_LOOP)],
])

function invoke({ api, example }: Deployment, invocations: Map<string, Invocation>): Invocation {
  const id = `n${invocations.size + 1}`
  const invocation = api.invoke(example.event(id))
  invocations.set(id, invocation)
  return invocation
}

/** Waits for a result or a failure, and passes it to `inspect`. */
async function settle({ answer }: Invocation): Promise<void> {
  await Promise.allSettled([answer])
}

/** `lanes` invocations at the same time, until there were enough. */
async function invokeInLanes(deployment: Deployment, lanes: number): Promise<ReadonlyMap<string, Invocation>> {
  const invocations = new Map<string, Invocation>()
  const run = async () => {
    while (invocations.size < INVOCATIONS) await settle(invoke(deployment, invocations))
  }
  await Promise.all(Array.from({ length: lanes }, run))
  return invocations
}
