/** What the comparison's rows say of a client, measured over loopback. */
import { inspect } from 'node:util'
import { type Fault, type LocalGateway, startLocalGateway, verifySignature } from '../../../src/testing/index.ts'
import { oddUrls } from '../../conformance/fuzz/signers.ts'
import { IDENTITY, startRecorder, TRACE_ID } from '../../support/helpers.ts'
import type { Call, CreateCall, Setup } from './clients.ts'

const REGION = 'eu-central-1'
const TOKEN = IDENTITY.sessionToken as string
const EXPIRED = { ...IDENTITY, sessionToken: 'the-token-of-an-hour-ago' }
const POST = { method: 'POST', body: '{}' }

/** Gives a cell. `_X_AMZN_TRACE_ID` must be `TRACE_ID` meanwhile, and `AWS_REGION` not set. */
export type Probe = (create: CreateCall) => Promise<string>

/** By the names of the rows. */
export const probes: Readonly<Record<string, Probe>> = {
  [`odd URLs refused, of ${oddUrls.length}`]: (create) =>
    withRecorder(async ({ url, requests }) => {
      const call = create({ url, region: REGION, credentials: IDENTITY })
      const judge = { credentials: [IDENTITY], region: REGION }
      let refused = 0
      for (const odd of oddUrls) {
        requests.length = 0
        await outcome(() => call(odd))
        const [request] = requests
        if (request === undefined || !verifySignature(request, judge).verified) refused += 1
      }
      return String(refused)
    }),

  'requests for a GET, a POST that gets 503': async (create) => {
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
        if (followed === undefined) return error === undefined ? 'not followed' : 'an error'
        return `followed, ${followed.includes(TOKEN) ? 'with' : 'without'} token`
      }),
    ),

  "the invocation's trace": (create) =>
    withGateway(create, {}, async (call, { requests }) => {
      await outcome(() => call('/jobs'))
      return requests[0]?.headers['x-amzn-trace-id'] === TRACE_ID ? 'sent' : 'not sent'
    }),

  "at the invocation's deadline": (create) =>
    withGateway(create, { fault: 'hang', remaining: 250 }, async (call) => {
      const ended = await Promise.race([outcome(() => call('/jobs')), later(1_000)])
      return ended === undefined ? 'goes on' : 'ends'
    }),

  "the caller's `signal`": (create) =>
    withGateway(create, { fault: 'hang' }, async (call) => {
      const signal = AbortSignal.timeout(50)
      const ended = await Promise.race([outcome(() => call('/jobs', { signal })), later(1_000)])
      return ended === undefined ? 'is lost' : 'ends the call'
    }),

  'a token refused as expired': (create) =>
    withGateway(
      create,
      { fault: { fault: 'expired-token', times: 1 }, credentials: EXPIRED, renewed: IDENTITY },
      again('renewed'),
    ),

  'a clock ten minutes off': (create) => withGateway(create, { now: () => Date.now() + 600_000 }, again('corrected')),

  'a 403 is': (create) =>
    withGateway(create, { fault: 'access-denied' }, async (call) => {
      const { error, value } = await outcome(() => call('/jobs'))
      const { name, hint } = (error ?? {}) as { name?: string; hint?: string }
      if (error === undefined) return `\`${(value as object).constructor.name}\``
      return `\`${name}\`${hint?.includes('execute-api:Invoke') ? ' with a hint' : ''}`
    }),

  'what `console` prints of the token then': (create) =>
    withGateway(create, { fault: 'access-denied' }, async (call) => {
      const { error, value } = await outcome(() => call('/jobs'))
      return inspect(error ?? value).includes(TOKEN) ? 'all of it' : 'nothing'
    }),

  'signed for, without a region': (create) =>
    withRecorder(async ({ url, requests }) => {
      const { error } = await outcome(async () => create({ url, credentials: IDENTITY })('/jobs'))
      const scope = requests[0]?.rawHeaders.find((value) => value.startsWith('AWS4-HMAC-SHA256'))?.split('/')
      if (scope !== undefined) return scope[2] === '' ? 'none' : `\`${scope[2]}\``
      return error === undefined ? 'unsigned' : 'refused at cold start'
    }),
}

/** Whether the same call succeeded after all. */
function again(how: string): (call: Call, gateway: LocalGateway) => Promise<string> {
  return async (call, { requests }) => {
    await outcome(() => call('/jobs', POST))
    const statuses = requests.map(({ status }) => status)
    return statuses.join() === '403,200' ? `${how}, sent again` : statuses.join()
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

/** What a call gave, or what it was refused with, by itself or when its client was made. */
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
