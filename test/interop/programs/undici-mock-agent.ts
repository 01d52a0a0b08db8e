/**
 * Calls before, while and after a MockAgent is the global dispatcher. Arguments: the undici package, and whether it is
 * imported `before` or `after` this one.
 */
const [name, order] = process.argv.slice(2)
type Dispatchers = Pick<typeof import('undici6'), 'MockAgent' | 'getGlobalDispatcher' | 'setGlobalDispatcher'>
const load = async (): Promise<Dispatchers> =>
  name === 'undici6' ? import('undici6') : ((await import('undici')) as never)

const early = order === 'before' ? await load() : undefined
const { createServices, createSignedFetch } = await import('../../../src/index.ts')
const { invokeAiService } = await import('../../../src/request-signer.ts')
const { ai } = createServices({ services: ['ai'], retry: 0 })
const signedFetch = createSignedFetch({ region: 'us-east-1', service: 'execute-api' })
const { MockAgent, getGlobalDispatcher, setGlobalDispatcher } = early ?? (await load())
await ai.get('jobs/imported')

const former = getGlobalDispatcher()
const agent = new MockAgent()
agent.disableNetConnect()
const seen: unknown[] = []
const base = new URL(process.env.AI_SERVICE_API_URL ?? '')
const service = agent.get(base.origin)
for (const [method, path] of Object.entries({ GET: 'jobs/1', POST: 'jobs' })) {
  service
    .intercept({ method, path: `${base.pathname}/${path}` })
    .reply(200, ({ headers }) => {
      const sent = new Headers(headers as Record<string, string>)
      seen.push([sent.get('authorization')?.slice(0, 16), sent.get('x-amzn-trace-id')])
      return { from: 'mock' }
    })
    .persist()
}
setGlobalDispatcher(agent)

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    (value) => (value as { from?: string } | undefined)?.from ?? 'gateway',
    (error) => error.code ?? error.message,
  )
const json = (response: Promise<Response>) => response.then((received) => received.json())
const outcomes = {
  get: await outcomeOf(ai.get('jobs/1').json()),
  post: await outcomeOf(ai.post('jobs', { json: { topic: 'ü' } }).json()),
  fetch: await outcomeOf(json(ai.fetch('jobs/1'))),
  signedFetch: await outcomeOf(json(signedFetch(`${base.href}/jobs/1`))),
  invoke: await outcomeOf(invokeAiService('jobs/1')),
  notMocked: await outcomeOf(ai.get('jobs/not-mocked').json()),
}
const globalFetch = await outcomeOf(json(fetch(`${base.href}/jobs/1`)))

setGlobalDispatcher(former)
await ai.get('jobs/restored')
console.log(JSON.stringify({ outcomes, seen, globalFetch }))
