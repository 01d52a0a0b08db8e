import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  createServices,
  createSignedFetch,
  type ServiceError,
  type SignedServicesOptions,
  signedServices,
} from '../../../src/index.ts'
import { invokeApiGateway } from '../../../src/request-signer.ts'
import { answer, IDENTITY, rejection, setEnv, startRecorder } from '../../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const SECRET = 'hunter2-hunter2'

/** Values that no header, or none that is signed, can hold. */
const BAD_VALUES = [`a\n${SECRET}`, `${SECRET}\r\nx-evil: 1`, `${SECRET}\0`, `${SECRET}€`, `日本${SECRET}`]
/** Values that `Headers` takes and Node.js does not send. */
const UNSENDABLE = [`${SECRET}\u0001x`, `${SECRET}\u007fx`]

type Init = NonNullable<Parameters<typeof fetch>[1]>['headers']

const FORMS: Readonly<Record<string, (name: string, value: string) => NonNullable<Init>>> = {
  object: (name, value) => ({ [name]: value }),
  pairs: (name, value) => [[name, value]],
  'object of several': (name, value) => ({ a: '1', [name]: value, b: '2' }),
}

function show(error: unknown): string {
  return `${inspect(error, { depth: 20, showHidden: true })}${JSON.stringify(error)}${(error as Error).stack}`
}

async function useClients() {
  const recorder = await startRecorder()
  onTestFinished(recorder.close)
  const { ai } = createServices({ services: { ai: recorder.url }, credentials: IDENTITY, region: 'eu-central-1' })
  const signed = createSignedFetch({ credentials: IDENTITY, region: 'eu-central-1', service: 'execute-api' })
  return { ai, signed, recorder }
}

describe('a header that cannot be sent', () => {
  it.each(Object.keys(FORMS))('is refused before anything is sent, without showing its value: %s', async (form) => {
    const { ai, signed, recorder } = await useClients()
    setEnv({ AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' })
    for (const name of ['x-api-key', 'x-amz-meta', 'X-Api-Key', 'content-type']) {
      for (const value of [...BAD_VALUES, ...UNSENDABLE]) {
        const headers = (FORMS[form] as (typeof FORMS)[string])(name, value) as Record<string, string>
        const ended = [
          await rejection(ai.get('x', { headers })),
          await rejection(ai.post('x', { headers, json: {} }).json()),
          await rejection(ai.fetch('x', { headers })),
          await rejection(ai.extend(Array.isArray(headers) ? {} : { headers }).get('x', { headers })),
          await rejection(invokeApiGateway(recorder.url, 'GET', 'x', undefined, undefined, { headers })),
        ]
        for (const error of ended) {
          expect(error, JSON.stringify(value)).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
          expect(show(error)).not.toContain(SECRET)
        }
        expect(show(await rejection(signed(`${recorder.url}/x`, { headers })))).not.toContain(SECRET)
      }
    }
    expect(recorder.requests).toEqual([])
  })

  it('is not shown where a client is extended by it', async () => {
    const { ai } = await useClients()
    for (const value of BAD_VALUES) {
      for (const headers of [[['x-api-key', value]], { 'x-api-key': value }] as never[]) {
        const outcomes = [() => ai.extend({ headers }), () => ai.extend(() => ({ headers }))].map(async (extend) =>
          extend().get('x'),
        )
        for (const outcome of outcomes) expect(show(await rejection(outcome))).not.toContain(SECRET)
      }
    }
    const own = new Error('mine')
    expect(() =>
      ai.extend(() => {
        throw own
      }),
    ).toThrow(own)
  })

  it('is an option that is refused at cold start', () => {
    for (const value of [`${SECRET}\n`, ...BAD_VALUES, ...UNSENDABLE]) {
      for (const options of [
        { headers: { 'x-api-key': value } },
        { services: { ai: { url: BASE, headers: { 'x-api-key': value } } } },
      ] as SignedServicesOptions[]) {
        expect(() => signedServices({ services: { ai: BASE }, ...options })).toThrow('x-api-key: is not a valid header')
        try {
          signedServices({ services: { ai: BASE }, ...options })
        } catch (error) {
          expect(show(error)).not.toContain(SECRET)
        }
      }
    }
    // Signed headers are printable ASCII.
    expect(() => signedServices({ services: { ai: BASE }, headers: { 'x-amz-meta': 'é' } })).toThrow('x-amz-meta: is')
    expect(() => signedServices({ services: { ai: BASE }, headers: { 'x-team': 'é' } })).not.toThrow()
    expect(() => signedServices({ services: { ai: BASE }, headers: { 'x team': 'a' } })).toThrow('x team: is not')
  })

  it('other values are not shown either, in any container', async () => {
    const { ai, signed, recorder } = await useClients()
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 8 }),
        fc.constantFrom(...Object.values(FORMS)),
        fc.constantFrom('x-api-key', 'x-amz-meta'),
        async (text, form, name) => {
          recorder.requests.length = 0
          const value = `${text}${SECRET}${text}`
          for (const call of [
            () => ai.fetch('x', { headers: form(name, value) }),
            () => ai.get('x', { headers: form(name, value) as never }),
            () => signed(`${recorder.url}/x`, { headers: form(name, value) }),
          ]) {
            const error = await call().then(
              () => undefined,
              (thrown: unknown) => thrown,
            )
            if (error !== undefined) expect(show(error)).not.toContain(SECRET)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('a region or a signing name', () => {
  const BAD = [
    'eu-central-1\nx',
    'eu central 1',
    'eu-central-1/s3',
    `${SECRET}\n`,
    'eu-central-1"',
    'ü',
    '',
    '../x',
    'a\0',
  ]

  it.each(BAD)('that no credential scope can hold is refused at cold start: %j', async (value) => {
    const bad: SignedServicesOptions[] = [
      { region: value },
      { services: { ai: { url: BASE, region: value } } },
      { services: { ai: { url: BASE, signingName: value } } },
    ]
    for (const options of bad) {
      try {
        createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: () => answer(), ...options })
        expect.unreachable()
      } catch (error) {
        expect((error as Error).message).toMatch(/(region|signingName): must be a/)
        expect(show(error)).not.toContain(SECRET)
      }
    }
    for (const [region, service] of [
      [value, 'execute-api'],
      ['eu-central-1', value],
    ] as const) {
      expect(() => createSignedFetch({ region, service })).toThrow(/(region|service): must be a/)
    }
  })

  it('of the environment is refused as well', () => {
    setEnv({ AWS_REGION: `eu-central-1\n${SECRET}` })
    expect(() => createServices({ services: { ai: 'https://api.example.com' } })).toThrow(
      'AWS_REGION: must be a region',
    )
  })
})

it('the credentials of a provider that no header can hold are refused, and not shown', async () => {
  for (const bad of [`${SECRET}\n`, `${SECRET}é`, `${SECRET} x`, '']) {
    for (const key of ['accessKeyId', 'secretAccessKey', 'sessionToken'] as const) {
      const { ai } = createServices({
        services: { ai: BASE },
        credentials: async () => ({ ...IDENTITY, [key]: bad }),
        fetch: () => answer(),
        retry: 0,
      })
      const error = (await rejection(ai.get('x'))) as ServiceError
      expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
      expect(error.message).toContain(key)
      expect(show(error)).not.toContain(SECRET)
    }
  }
})
