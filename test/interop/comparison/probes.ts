/** Measures the rows of docs/comparison.md for a client, over loopback. */
import { inspect } from 'node:util'
import { type Fault, type LocalGateway, startLocalGateway, verifySignature } from '../../../src/testing/index.ts'
import { oddUrls } from '../../conformance/fuzz/signers.ts'
import { IDENTITY, startRecorder, TRACE_ID } from '../../support/helpers.ts'
import type { Call, CreateCall, Setup } from './clients.ts'

const REGION = 'eu-central-1'
const TOKEN = IDENTITY.sessionToken as string
const EXPIRED = { ...IDENTITY, sessionToken: 'the-token-of-an-hour-ago' }
const POST = { method: 'POST', body: '{}' }

/** Resolves with the text of a cell. `_X_AMZN_TRACE_ID` must be `TRACE_ID`, and `AWS_REGION` must not be set. */
export type Probe = (create: CreateCall) => Promise<string>

/** The keys are the names of the rows. */
export const probes: Readonly<Record<string, Probe>> = {
  [`odd URLs rejected, of ${oddUrls.length}`]: (create) =>
    withRecorder(async ({ url, requests }) => {
      const call = create({ url, region: REGION, credentials: IDENTITY })
      const judge = { credentials: [IDENTITY], region: REGION }
      let rejected = 0
      for (const odd of oddUrls) {
        requests.length = 0
        await outcome(() => call(odd))
        const [request] = requests
        if (request === undefined || !verifySignature(request, judge).verified) rejected += 1
      }
      return String(rejected)
    }),

  'requests for one GET, one POST, if each gets 503': async (create) => {
    const count = (method: string) =>
      withGateway(create, { fault: { status: 503 } }, async (call, { requests }) => {
        await outcome(() => call('/jobs', { method }))
        return requests.length
      })
    return `${await count('GET')}, ${await count('POST')}`
  },

  'a redirect to another host': (create) =>
    withRecorder(({ url, requests }) =>
      withGateway(create, { fault: { status: 307, headers: { location: `${url}/elsewhere` } } }, async (call) => {
        const { error } = await outcome(() => call('/jobs', POST))
        const followed = requests[0]?.rawHeaders
        if (followed === undefined) return error === undefined ? 'not followed' : 'throws an error'
        return `followed, ${followed.includes(TOKEN) ? 'with' : 'without'} token`
      }),
    ),

  "the invocation's X-Ray trace": (create) =>
    withGateway(create, {}, async (call, { requests }) => {
      await outcome(() => call('/jobs'))
      return requests[0]?.headers['x-amzn-trace-id'] === TRACE_ID ? 'sent' : 'not sent'
    }),

  "when the invocation's deadline passes": (create) =>
    withGateway(create, { fault: 'hang', remaining: 250 }, async (call) => {
      const ended = await Promise.race([outcome(() => call('/jobs')), later(1_000)])
      return ended === undefined ? 'the call continues' : 'the call ends'
    }),

  "the caller's `signal`": (create) =>
    withGateway(create, { fault: 'hang' }, async (call) => {
      const signal = AbortSignal.timeout(50)
      const ended = await Promise.race([outcome(() => call('/jobs', { signal })), later(1_000)])
      return ended === undefined ? 'is ignored' : 'ends the call'
    }),

  'a token rejected as expired': (create) =>
    withGateway(
      create,
      { fault: { fault: 'expired-token', times: 1 }, credentials: EXPIRED, renewed: IDENTITY },
      again('renewed'),
    ),

  'a local clock ten minutes off': (create) =>
    withGateway(create, { now: () => Date.now() + 600_000 }, again('corrected')),

  'result of a 403': (create) =>
    withGateway(create, { fault: 'access-denied' }, async (call) => {
      const { error, value } = await outcome(() => call('/jobs'))
      const { name, hint } = (error ?? {}) as { name?: string; hint?: string }
      if (error === undefined) return `\`${(value as object).constructor.name}\``
      return `\`${name}\`${hint?.includes('execute-api:Invoke') ? ' with a hint' : ''}`
    }),

  'session token, when `console` prints that result': (create) =>
    withGateway(create, { fault: 'access-denied' }, async (call) => {
      const { error, value } = await outcome(() => call('/jobs'))
      return inspect(error ?? value).includes(TOKEN) ? 'in full' : 'not shown'
    }),

  'without a region': (create) =>
    withRecorder(async ({ url, requests }) => {
      const { error } = await outcome(async () => create({ url, credentials: IDENTITY })('/jobs'))
      const scope = requests[0]?.rawHeaders.find((value) => value.startsWith('AWS4-HMAC-SHA256'))?.split('/')
      if (scope !== undefined) return scope[2] === '' ? 'signs for none' : `signs for \`${scope[2]}\``
      return error === undefined ? 'unsigned' : 'refused at cold start'
    }),
}

/** Whether the client repaired the call: a rejection, then a success. */
function again(how: string): (call: Call, gateway: LocalGateway) => Promise<string> {
  return async (call, { requests }) => {
    await outcome(() => call('/jobs', POST))
    const statuses = requests.map(({ status }) => status)
    return statuses.join() === '403,200' ? `${how}, retried` : statuses.join()
  }
}

async function withGateway<T>(
  create: CreateCall,
  { fault, now, ...setup }: Partial<Setup> & { readonly fault?: Fault; readonly now?: () => number },
  run: (call: Call, gateway: LocalGateway) => Promise<T>,
): Promise<T> {
  const gateway = await startLocalGateway({
    services: { ai: { 'GET /jobs': {}, 'POST /jobs': {} } },
    credentials: IDENTITY,
    region: REGION,
    ...(now && { now }),
  })
  if (fault !== undefined) gateway.fail('ai *', fault)
  try {
    return await run(create({ url: `${gateway.url}/ai`, region: REGION, credentials: IDENTITY, ...setup }), gateway)
  } finally {
    await gateway.close()
  }
}

async function withRecorder<T>(run: (recorder: Awaited<ReturnType<typeof startRecorder>>) => Promise<T>): Promise<T> {
  const recorder = await startRecorder()
  try {
    return await run(recorder)
  } finally {
    await recorder.close()
  }
}

/** The result of a call, or the error that the call, or the creation of its client, threw. */
async function outcome(call: () => Promise<unknown>): Promise<{ readonly value?: unknown; readonly error?: unknown }> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
