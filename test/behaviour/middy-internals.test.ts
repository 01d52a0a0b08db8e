import middy from '@middy/core'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  createServices,
  type ServiceClient,
  ServicesConfigurationError,
  type ServicesContext,
  signedServices,
} from '../../src/index.ts'
import { answer, IDENTITY, rejection, setEnv } from '../support/helpers.ts'

const HOST = 'https://id.execute-api.eu-central-1.amazonaws.com'
const OTHER = { accessKeyId: 'AKIDOTHER', secretAccessKey: 'other-secret', sessionToken: 'other-token' }

let sent: { url: string; key: string | undefined }[]
beforeEach(() => {
  sent = []
  setEnv({ ADMIN_SERVICE_API_URL: `${HOST}/admin` })
})
const fetch: typeof globalThis.fetch = async (input, init) => {
  const authorization = new Headers(init?.headers).get('authorization') ?? ''
  sent.push({ url: String(input), key: /Credential=(\w+)/.exec(authorization)?.[1] })
  return answer()
}

/** What `@middy/ssm` and `@middy/sts` do: values, some of them promises, under names of the request's internal storage. */
const setInternal = (values: () => Record<string, unknown>) => ({
  before: (request: { internal: Record<string, unknown> }) => {
    Object.assign(request.internal, values())
  },
})

const context = () => ({}) as unknown as ServicesContext<'ai' | 'admin'>

describe('Middy internal values', () => {
  const services = {
    ai: { internal: '/config/ai-url', credentials: 'assumedRole' },
    admin: {},
  } as const
  const run = async (values: () => Record<string, unknown>, options: object = {}, times = 1) => {
    const handler = middy()
      .use(setInternal(values))
      .use(signedServices({ services, credentials: IDENTITY, fetch, ...options }))
      .handler(async (_, { services: { ai, admin } }: { services: Record<string, ServiceClient> }) => {
        await ai?.get('x')
        await admin?.get('x')
        return ai?.url
      })
    let last: unknown
    for (let time = 0; time < times; time += 1) last = await handler({}, context() as never)
    return last
  }

  it('give URL and credentials of a service, awaited where they are promises', async () => {
    const values = () => ({ '/config/ai-url': Promise.resolve(`${HOST}/ai`), assumedRole: Promise.resolve(OTHER) })
    expect(await run(values)).toBe(`${HOST}/ai`)
    expect(sent).toEqual([
      { url: `${HOST}/ai/x`, key: 'AKIDOTHER' },
      { url: `${HOST}/admin/x`, key: IDENTITY.accessKeyId },
    ])
  })

  it('may be those of all services', async () => {
    const handler = middy()
      .use(setInternal(() => ({ role: OTHER })))
      .use(signedServices({ services: ['admin'], credentials: 'role', fetch }))
      .handler(async (_, { services: { admin } }) => admin.get('x').text())
    await handler({}, context())
    expect(sent).toEqual([{ url: `${HOST}/admin/x`, key: 'AKIDOTHER' }])
  })

  it('may change from one invocation to the next', async () => {
    let turn = 0
    const values = () => {
      turn += 1
      return { '/config/ai-url': `${HOST}/ai${Math.ceil(turn / 2)}`, assumedRole: turn === 3 ? IDENTITY : OTHER }
    }
    await run(values, {}, 3)
    expect(sent.filter(({ url }) => url.includes('/ai'))).toEqual([
      { url: `${HOST}/ai1/x`, key: 'AKIDOTHER' },
      { url: `${HOST}/ai1/x`, key: 'AKIDOTHER' },
      { url: `${HOST}/ai2/x`, key: IDENTITY.accessKeyId },
    ])
  })

  it('belong to their invocation, however several of them interleave', async () => {
    const tenants = { a: IDENTITY, b: OTHER }
    const gates = { a: Promise.withResolvers<void>(), b: Promise.withResolvers<void>() }
    let current: 'a' | 'b' = 'a'
    const handler = middy<{ tenant: 'a' | 'b' }>()
      .use(setInternal(() => ({ '/config/ai-url': `${HOST}/ai/${current}`, assumedRole: tenants[current] })))
      .use(signedServices({ services, credentials: IDENTITY, fetch }))
      .handler(async ({ tenant }, { services: { ai } }) => {
        await gates[tenant].promise
        await ai.get('x')
      })
    const first = handler({ tenant: 'a' }, context() as never)
    await new Promise((resolve) => setTimeout(resolve, 5))
    current = 'b'
    const second = handler({ tenant: 'b' }, context() as never)
    await new Promise((resolve) => setTimeout(resolve, 5))
    gates.b.resolve()
    await second
    gates.a.resolve()
    await first
    expect(sent).toEqual([
      { url: `${HOST}/ai/b/x`, key: 'AKIDOTHER' },
      { url: `${HOST}/ai/a/x`, key: IDENTITY.accessKeyId },
    ])
  })

  it("leave the caches of other services' providers alone", async () => {
    let asked = 0
    const credentials = async () => {
      asked += 1
      return { ...IDENTITY, expiration: new Date(Date.now() + 3_600_000) }
    }
    let turn = 0
    const values = () => ({ '/config/ai-url': `${HOST}/ai${++turn}`, assumedRole: OTHER })
    await run(values, { credentials }, 3)
    expect(asked).toBe(1)
  })

  it.each([
    [
      'missing',
      {},
      [
        "internal value '/config/ai-url': API Gateway URL not set",
        "internal value 'assumedRole': accessKeyId is missing or not printable ASCII",
      ],
    ],
    [
      'wrong',
      { '/config/ai-url': 'http://u:hunter2@h', assumedRole: { accessKeyId: 'a', secretAccessKey: 'hunter2\n' } },
      [
        "internal value '/config/ai-url': must start with https:// (http:// only for loopback hosts, or with the option allowHttp)",
        "internal value 'assumedRole': secretAccessKey is missing or not printable ASCII",
      ],
    ],
    [
      'not text',
      { '/config/ai-url': { url: 'x' }, assumedRole: OTHER },
      ["internal value '/config/ai-url': API Gateway URL not set"],
    ],
  ])('are checked like the others where they are %s', async (_, values, problems) => {
    const error = await rejection(run(() => values))
    expect(error).toMatchObject({ name: 'ServicesConfigurationError', problems })
    expect((error as Error).message).not.toContain('hunter2')
    expect(sent).toEqual([])
  })

  it('may be missing for an optional service, until it is called', async () => {
    const optional = { services: { ai: { internal: 'none', optional: true }, admin: {} } }
    expect(await rejection(run(() => ({}), optional))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: "ai: GET /x: internal value 'none': API Gateway URL not set",
    })
  })

  it('do not hide other problems at cold start', () => {
    setEnv({ ADMIN_SERVICE_API_URL: undefined })
    expect(() => signedServices({ services })).toThrow(/ADMIN_SERVICE_API_URL: API Gateway URL not set/)
  })

  it.each([
    [{ services: { ai: { internal: 'x' } } }, 'services.ai.internal'],
    [{ services: { ai: { url: HOST, credentials: 'x' } } }, 'services.ai.credentials'],
    [{ services: { ai: HOST }, credentials: 'x' }, 'credentials'],
  ])('are for signedServices alone, %o', (options, path) => {
    expect(() => createServices(options as object)).toThrow(
      new ServicesConfigurationError([`${path}: names a Middy internal value, which only signedServices can read`]),
    )
  })
})
