/** The messages that the documents show, as the package prints them, by the names of their blocks. */
import { setTimeout } from 'node:timers/promises'
import middy from '@middy/core'
import {
  createServices,
  type ServiceClient,
  type ServicesContext,
  type SignedServicesOptions,
  signedServices,
} from '../../src/index.ts'
import { type Fault, startLocalGateway } from '../../src/testing/index.ts'
import { IDENTITY, setEnv } from '../support/helpers.ts'
import { commandMessages } from './command-messages.ts'

const BASE = 'https://abc123.execute-api.eu-central-1.amazonaws.com/prod'
const REGION = 'eu-central-1'
const NOW = Date.parse('2025-03-03T07:00:00Z')

/** Gives what a call failed with, or what was logged, as text. */
export type Make = () => Promise<string>

export const messages: Readonly<Record<string, Make>> = {
  'url-not-set': async () => {
    const urls = { AI: undefined, INTEGRATION: BASE, BACKGROUND: BASE, ADMIN: 'http://admin.example.com' }
    setEnv(Object.fromEntries(Object.entries(urls).map(([name, url]) => [`${name}_SERVICE_API_URL`, url])))
    return failure(async () => signedServices())
  },
  'url-not-set-optional': () => {
    setEnv({ AI_SERVICE_API_URL: undefined })
    return failure(() => createServices({ services: { ai: { optional: true } } }).ai.get('health'))
  },
  'option-mistakes': () => {
    const options = { services: { ai: BASE }, timeOut: 5_000, idleTimeout: 0 }
    return failure(async () => signedServices(options))
  },
  'region-missing': () => {
    setEnv({ AWS_REGION: undefined, AI_SERVICE_API_URL: 'https://ai.example.com' })
    return failure(async () => signedServices({ services: ['ai'] }))
  },
  'options-mistakes': async () => {
    setEnv({ SEARCH_URL: '{{SearchApi}}' })
    const options = {
      timeOut: 5_000,
      retry: { limit: -1 },
      headers: { authorization: 'mine' },
      services: { ai: 'api.example.com', search: { env: 'SEARCH_URL' }, billing: BASE },
      region: 'us-east-1',
    }
    return failure(async () => signedServices(options as never))
  },

  'access-denied': refusal('access-denied'),
  'access-denied-explicit': refusal('access-denied-explicit'),
  'missing-token': refusal('missing-token'),
  'signature-mismatch-changed': onGateway({}, ({ url }) => {
    const change: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set('content-type', 'application/json; charset=utf-8')
      return fetch(input, { ...init, headers })
    }
    return failure(() => post(clientAt(url, { fetch: change })))
  }),
  'signature-mismatch-secret': onGateway({}, ({ url }) =>
    failure(() => post(clientAt(url, { credentials: { ...IDENTITY, secretAccessKey: 'another-secret' } }))),
  ),
  'incomplete-signature': async () =>
    (await refusal('incomplete-signature')()).replace(/'[\da-f]{64}'|'[^']+'$/m, "'...'"),
  'signature-expired': refusal('signature-expired'),
  'signature-not-yet-current': refusal('signature-not-yet-current'),
  'invalid-token': refusal('invalid-token'),
  'expired-token': refusal('expired-token'),
  'wrong-scope': () => {
    const body = JSON.stringify({ message: "Credential should be scoped to a valid region, not 'eu-central-1'. " })
    const headers = { 'x-amzn-errortype': 'InvalidSignatureException', 'content-type': 'application/json' }
    return failure(() => post(clientAt(BASE, { fetch: async () => new Response(body, { status: 403, headers }) })))
  },
  forbidden: refusal('forbidden'),

  timeout: onGateway({ fault: 'hang' }, ({ url }) => failure(() => post(clientAt(url, { timeout: 50 })))),
  'idle-timeout': onGateway({ fault: 'hang' }, ({ url }) =>
    failure(() => post(clientAt(url, { timeout: false, idleTimeout: 50 }))),
  ),
  'integration-timeout': refusal('integration-timeout'),
  deadline: onGateway({ fault: 'hang' }, ({ url }) => failure(() => inHandler(url, 300, post))),
  'deadline-over': onGateway({}, ({ url }) => failure(() => inHandler(url, 200, post))),
  'handler-ended': onGateway({ fault: 'hang' }, async ({ url }) => {
    let ended = Promise.resolve('')
    const logger = { info() {}, warn() {}, error() {} }
    const run = async (client: ServiceClient) => {
      ended = failure(() => client.get('health'))
      // Until the request was sent.
      await setTimeout(100)
    }
    await inHandler(url, 10_000, run, { logger })
    return ended
  }),
  'network-dns': () => {
    const cause = Object.assign(new Error(`getaddrinfo ENOTFOUND ${new URL(BASE).hostname}`), { code: 'ENOTFOUND' })
    return failure(() =>
      post(clientAt(BASE, { fetch: () => Promise.reject(new TypeError('fetch failed', { cause })) })),
    )
  },
  throttled: refusal('throttled'),
  quota: refusal('quota'),
  'circuit-open': onGateway({ fault: 'internal-error' }, async ({ url }) => {
    // The message has the time that is left, which changes.
    const client = clientAt(url, { circuitBreaker: true })
    for (let call = 1; call <= 5; call += 1) await failure(() => post(client))
    return (await failure(() => post(client))).replace(/another \d+ ms/, 'another 60000 ms')
  }),
  'too-large': () =>
    failure(() =>
      clientAt(BASE)
        .post('publish/blog', { body: 'x'.repeat(10_485_761) })
        .json(),
    ),
  'no-credentials': () => {
    const credentials = () => Promise.reject(new Error('Could not load credentials from any providers'))
    return failure(() => post(clientAt(BASE, { credentials })))
  },
  'response-too-large': onGateway({ fault: { status: 200, body: '"xxxx"' } }, ({ url }) =>
    failure(() => clientAt(url, { maxResponseSize: 5 }).get('health').json()),
  ),
  'internal-error': refusal('internal-error'),
  redirect: onGateway(
    { fault: { status: 301, headers: { location: 'https://elsewhere.example/health' } } },
    ({ url }) => failure(() => clientAt(url).get('health').json()),
  ),
  'not-json': onGateway({ fault: { status: 200, body: '<html>It works</html>' } }, ({ url }) =>
    failure(() => clientAt(url).get('health').json()),
  ),
  pending: onGateway({}, ({ url }) =>
    firstWarning((logger) => inHandler(url, 10_000, async (client) => void post(client), { logger })),
  ),
  unheard: onGateway({ fault: 'internal-error' }, ({ url }) =>
    firstWarning(async (logger) => void post(clientAt(url, { logger }))),
  ),
  ...commandMessages,
}

/** What calls are refused with before they are sent, without the name of the call. */
export const refusals: Readonly<Record<string, Make>> = {
  'another host': () => refusedCall((client) => client.get(new URL('https://evil.example/'))),
  'an absolute URL as text': () => refusedCall((client) => client.get(`${BASE}/health`)),
  'a path that leaves the base URL, encoded or not': () => refusedCall((client) => client.get('..%2F..%2Fother')),
  'a password in a URL': () => refusedCall((client) => client.get(new URL(BASE.replace('//', '//user:password@')))),
  'an `authorization` header': () =>
    refusedCall((client) => client.get('health', { headers: { authorization: 'mine' } })),
  'another `host` header': () => refusedCall((client) => client.get('health', { headers: { host: 'evil.example' } })),
  'a signed header with characters outside ASCII': () =>
    refusedCall((client) => client.get('health', { headers: { 'x-amz-meta-name': 'ü' } })),
  'a body over 10 MB': () => refusedCall((client) => client.post('publish/blog', { body: 'x'.repeat(10_485_761) })),
  'no credentials': () => {
    // Nothing that the chain of providers might find.
    setEnv({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials',
      AWS_CONFIG_FILE: '/nowhere/config',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: undefined,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: undefined,
      AWS_WEB_IDENTITY_TOKEN_FILE: undefined,
      AWS_PROFILE: undefined,
    })
    return refusedCall((client) => client.get('health'), { credentials: undefined })
  },
}

/** What a base URL is refused with at cold start, without the name of its variable. */
export const problems: Readonly<Record<string, SignedServicesOptions>> = {
  'not a URL': { services: { ai: 'https:/abc123' } },
  'https:// is missing': { services: { ai: 'abc123.execute-api.eu-central-1.amazonaws.com/prod' } },
  'must start with https:// (http:// only for loopback hosts, or with the option allowHttp)': {
    services: { ai: 'http://ai.example.com' },
  },
  'must not contain credentials': { services: { ai: 'https://user:password@ai.example.com' } },
  'must not contain a query or a fragment': { services: { ai: `${BASE}?stage=prod` } },
  'contains an unresolved template token, such as ${...} or {{...}}': {
    services: { ai: 'https://{{api}}.example.com' },
  },
  'the host name contains no region, and AWS_REGION is not set': { services: { ai: 'https://ai.example.com' } },
  'an AWS host of an unknown service: set region and signingName': {
    services: { ai: 'https://search-abc123.eu-central-1.es.amazonaws.com' },
  },
  "the host's region is 'us-east-1', but the option says 'eu-central-1'": {
    services: { ai: 'https://abc123.execute-api.us-east-1.amazonaws.com/prod' },
    region: 'eu-central-1',
  },
}

/** A call to the address of a real gateway, which the local one refuses. */
function refusal(fault: Fault): Make {
  return onGateway({ fault, now: () => NOW }, ({ url }) => {
    const reroute: typeof fetch = (input, init) => fetch(String(input).replace(BASE, url), init)
    return failure(() => post(clientAt(BASE, { fetch: reroute })))
  })
}

function onGateway(
  { fault, now = Date.now }: { readonly fault?: Fault; readonly now?: () => number },
  run: (gateway: { readonly url: string }) => Promise<string>,
): Make {
  return async () => {
    const gateway = await startLocalGateway({
      services: { integration: { 'POST /publish/blog': {}, 'GET /health': {} } },
      credentials: IDENTITY,
      region: REGION,
      now,
    })
    if (fault !== undefined) gateway.fail('integration *', fault)
    try {
      return await run({ url: `${gateway.url}/integration` })
    } finally {
      await gateway.close()
    }
  }
}

function clientAt(url: string, options: SignedServicesOptions = {}): ServiceClient {
  const { integration } = createServices({
    credentials: IDENTITY,
    region: REGION,
    retry: { delay: () => 0 },
    ...options,
    services: { integration: url },
  })
  return integration
}

function post(client: ServiceClient): Promise<unknown> {
  return client.post('publish/blog', { json: {} })
}

/** A call in an invocation with so many milliseconds. */
function inHandler(
  url: string,
  ms: number,
  run: (client: ServiceClient) => Promise<unknown>,
  options: SignedServicesOptions = {},
): Promise<unknown> {
  const handler = middy()
    .use(signedServices({ ...options, services: { integration: url }, credentials: IDENTITY, region: REGION }))
    .handler((_, { services: { integration } }) => run(integration))
  return handler({}, { getRemainingTimeInMillis: () => ms } as ServicesContext<'integration'>)
}

function firstWarning(
  run: (logger: NonNullable<SignedServicesOptions['logger']>) => Promise<unknown>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    run({ info() {}, error() {}, warn: resolve }).catch(reject)
  })
}

async function failure(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
  } catch (error) {
    return String(error)
  }
  throw new Error('nothing failed')
}

async function refusedCall(
  call: (client: ServiceClient) => Promise<unknown>,
  options: SignedServicesOptions = {},
): Promise<string> {
  const text = await failure(() => call(clientAt(BASE, options)))
  const [, problem] = /^ServiceRequestError: integration: \w+ \S*: (.+)$/.exec(text) ?? []
  return problem ?? text
}
