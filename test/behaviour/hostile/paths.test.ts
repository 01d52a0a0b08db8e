import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type CallRecord,
  createServices,
  type ServiceError,
  type ServicesConfigurationError,
  type SignedServicesOptions,
} from '../../../src/index.ts'
import { invokeApiGateway } from '../../../src/request-signer.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'

const ORIGIN = 'https://id.execute-api.eu-central-1.amazonaws.com'
const BASE = `${ORIGIN}/prod`

let sent: string[]
beforeEach(() => {
  sent = []
})
const fetch: typeof globalThis.fetch = async (input) => {
  sent.push(String(input))
  return answer()
}
const createClient = (options: Omit<SignedServicesOptions, 'services'> = {}) =>
  createServices({ ...options, services: { ai: BASE }, credentials: IDENTITY, fetch }).ai

/** Where a server ends that decodes a path `times` times, and takes some of the separators for slashes. */
function walk(path: string, times: number, separators: RegExp): string[] | undefined {
  let text = path
  for (let count = 0; count < times; count += 1) {
    text = text.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  const segments: string[] = []
  for (const segment of text.split(separators)) {
    if (segment === '..') {
      if (segments.length === 0) return undefined
      segments.pop()
      // A path that leaves the stage and comes back was outside of it, too.
      if (segments.length === 0) return undefined
    } else if (segment !== '.' && segment !== '') segments.push(segment)
  }
  return segments
}

const SEPARATORS = [/\//, /[/\\]/, /\/|%2f/i, /\/|%5c/i, /\/|%2f|%5c/i, /\/|%2f|\\/i, /\/|%5c|\\/i, /\/|%252f|\\/i]

function expectBelow(url: string): void {
  expect(url.startsWith(`${BASE}/`) || url === BASE || url.startsWith(`${BASE}?`)).toBe(true)
  const path = url.slice(ORIGIN.length).replace(/\?.*/, '')
  for (const times of [0, 1, 2, 3]) {
    for (const separators of SEPARATORS) expect(walk(path, times, separators)?.[0]).toBe('prod')
  }
}

describe('a path that a decoder further on would lead out of the base', () => {
  it.each([
    'x%5cy%2f..%2f..%2fadmin',
    'b%20%255cb%20%252f.%2e%5C%2E%2E',
    'a%2fb%5cc%2f..%5c..%2f..%252f..',
    'x%2fy/../../%2e%2e/admin',
    '..%2fadmin',
    '..%5cadmin',
    '..\\admin',
    '%2e%2e%2fadmin',
    '%2e%2e%5c%2e%2e/admin',
    '%252e%252e%252fadmin',
    '%252e%252e/admin',
    '%25252e%25252e%25252fadmin',
    '.%2e/admin',
    'a/..%2f..%5c..',
    'a%5c..%2f..',
    'a%2f..%5c..%2f..',
    '..;/..%2fadmin',
    '%2e%2e',
    'a%2f%2e%2e%2f%2e%2e',
  ])('is refused, or never leaves it: %s', async (path) => {
    for (const call of [() => createClient().get(path), () => createClient().fetch(path)]) {
      const outcome = await call().then(
        () => undefined,
        (error: ServiceError) => error,
      )
      if (outcome !== undefined) expect(outcome).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
    }
    for (const url of sent) expectBelow(url)
  })

  it('in no mixture of encodings', async () => {
    const piece = fc.constantFrom(
      ...['/', '\\', '%2f', '%2F', '%5c', '%5C', '%252f', '%255c', '%25252f', '%25255C', '..', '.', '%2e', '%2E'],
      ...['%252e', '%25252e', '%2e%2e', '.%2e', 'a', 'b%20', '%', '%25', '%2525', ';', '?', '#', '//', '...', '\t'],
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.boolean(), async (pieces, isFetch) => {
        const path = pieces.join('')
        sent = []
        try {
          await (isFetch ? createClient().fetch(path) : createClient().get(path))
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
        }
        for (const url of sent) expectBelow(url)
      }),
      { numRuns: 1000 },
    )
  }, 30_000)

  it('of a URL, a Request or a hook neither', async () => {
    for (const path of ['x%5cy%2f..%2f..%2fadmin', '..%2fadmin', '%252e%252e%252fadmin']) {
      const url = new URL(`${BASE}/${path}`)
      expect(await rejection(createClient().get(url))).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
      expect(await rejection(createClient().get(new Request(url)))).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
      const hooks = { beforeRequest: [() => new Request(url)] }
      expect(await rejection(createClient().get('x', { hooks }))).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
    }
    expect(sent).toEqual([])
  })
})

describe('a base URL', () => {
  it.each([
    'https:///prod',
    'https://',
    'https:////prod',
    'https:/\\prod',
    'https://.execute-api.eu-central-1.amazonaws.com/prod',
    'https://..execute-api.eu-central-1.amazonaws.com/prod',
    'https://id..execute-api.eu-central-1.amazonaws.com/prod',
    'http:///prod',
  ])('is not %s', async (url) => {
    expect(() => createServices({ services: { ai: url }, region: 'eu-central-1' })).toThrow(
      'services.ai.url: not a URL',
    )
    expect(await rejection(invokeApiGateway(url, 'GET', 'x'))).toMatchObject({ code: 'ERR_SERVICES_CONFIG' })
  })
})

describe('a line break', () => {
  const FORGED = '2026 INFO FORGED'
  const BREAKS = ['\n', '\r\n', '\r', '\u2028', '\u2029', '\u0085', '\u000b', '\u001b[2K', '\0']

  /** A client whose log lines and records are kept. */
  function useLog() {
    const lines: string[] = []
    const log = (line: string, details: unknown) => void lines.push(line, JSON.stringify(details))
    const records: CallRecord[] = []
    const onCall = (record: CallRecord) => void records.push(record)
    return { ai: createClient({ logger: { info: log, warn: log, error: log }, onCall }), lines, records }
  }

  function expectOneLine(texts: readonly (string | undefined)[]): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
    for (const text of texts) expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
  }

  it.each(BREAKS)('%j of a refused path reaches neither messages nor log lines', async (at) => {
    for (const path of [`${at}..%2f${FORGED}`, `x${at}${FORGED}/../..`, `x${at}${FORGED}%2f..%2f..%2f..`, `${at}x`]) {
      const { ai, lines, records } = useLog()
      const outcomes = await Promise.allSettled([ai.get(path), ai.fetch(path), ai.post(path, { json: 1 })])
      const errors = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as ServiceError] : []))
      expectOneLine([...errors.flatMap((error) => [error.message, error.path]), ...lines])
      expectOneLine(records.map((record) => record.path))
    }
  })

  it.each(BREAKS)('%j of a method does not either', async (at) => {
    const { ai, lines, records } = useLog()
    const method = `GET${at}${FORGED}`
    const errors = [await rejection(ai('x', { method })), await rejection(ai.fetch('x', { method }))] as ServiceError[]
    expectOneLine([...errors.flatMap((error) => [error.message, error.method]), ...lines])
    expectOneLine(records.map((record) => record.method))
    expect(sent).toEqual([])
  })

  it.each(BREAKS)('%j of a service name is refused at cold start', (at) => {
    const name = `ai${at}${FORGED}`
    for (const services of [[name], { [name]: BASE }, { [name]: { url: BASE, [`time${at}out`]: 1 } }]) {
      try {
        createServices({ services: services as never, region: 'eu-central-1' })
        expect.unreachable()
      } catch (error) {
        expect((error as Error).message).toContain("a service's name must not contain line breaks")
        expectOneLine((error as ServicesConfigurationError).problems)
        expectOneLine((error as Error).message.split('\n'))
      }
    }
  })
})
