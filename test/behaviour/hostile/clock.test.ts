import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch, type ServiceClient } from '../../../src/index.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const AMZ_DATE = /^\d{8}T\d{6}Z$/
const WINDOW_MS = 300_000

/** Milliseconds since the epoch of a signature's date. */
function toTime(amzDate: string): number {
  return Date.parse(amzDate.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'))
}

/** A gateway that refuses what is not signed at its own time, with the `Date` that `date` gives. */
function useGateway(date: (count: number) => string | undefined, skew = 0) {
  const dates: string[] = []
  const fetch: typeof globalThis.fetch = async (_, init) => {
    const amzDate = new Headers(init?.headers).get('x-amz-date') ?? ''
    dates.push(amzDate)
    const ahead = toTime(amzDate) - (Date.now() + skew)
    if (Math.abs(ahead) < WINDOW_MS) return answer()
    const message = ahead < 0 ? 'Signature expired: x' : 'Signature not yet current: x'
    const sent = date(dates.length)
    return answer(JSON.stringify({ message }), {
      status: 403,
      headers: { 'x-amzn-errortype': 'InvalidSignatureException', ...(sent !== undefined && { date: sent }) },
    })
  }
  return { ai: createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch, retry: 0 }).ai, dates, fetch }
}

const isOk = async (ai: ServiceClient) => (await ai.fetch('x')).ok

const ODD_DATES = [
  new Date(Date.UTC(10_000, 0)).toUTCString(),
  new Date(8.64e15).toUTCString(),
  new Date(-8.64e15).toUTCString(),
  new Date(Date.UTC(-1, 0)).toUTCString(),
  'Sat, 13 Sep 275760 00:00:00 GMT',
  'Mon, 01 Jan 10000 00:00:00 GMT',
  'Mon, 30 Feb 2026 00:00:00 GMT',
  'Sun, 06 Nov 2094 08:49:60 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  '+275760-09-13T00:00:00.000Z',
  '2026-11-22',
  '1e21',
  '99999999999999999999',
  'now',
  '',
  '-1',
]

describe('an invalid date, or one far away', () => {
  it.each(ODD_DATES)('does not spoil later signatures: %j', async (date) => {
    const { ai, dates } = useGateway(() => date, 3_600_000)
    expect(await isOk(ai)).toBe(false)
    expect(await isOk(ai)).toBe(false)
    for (const amzDate of dates) {
      expect(amzDate).toMatch(AMZ_DATE)
      expect(Math.abs(toTime(amzDate) - Date.now())).toBeLessThan(2000)
    }
    expect(dates.length).toBe(2)
  })
})

describe('a date that does not help', () => {
  const wrong = () => new Date(Date.now() + 90 * 86_400_000).toUTCString()

  it("is forgotten, so that the next signature has the machine's own time", async () => {
    const { ai, dates } = useGateway(wrong, 3_600_000)
    await isOk(ai)
    expect(dates.length).toBe(2)
    await isOk(ai)
    expect(Math.abs(toTime(dates[2] as string) - Date.now())).toBeLessThan(2000)
  })

  it('is forgotten later, where its own attempt has failed for another reason', async () => {
    let isHealthy = false
    const { dates, fetch } = useGateway(wrong)
    const { ai } = createServices({
      services: { ai: BASE },
      credentials: IDENTITY,
      retry: 0,
      fetch: async (input, init) => {
        if (dates.length === 1 && !isHealthy) throw new Error('reset')
        if (dates.length > 0) return fetch(input, init)
        dates.push('first')
        return answer('{"message":"Signature expired: x"}', {
          status: 403,
          headers: { 'x-amzn-errortype': 'InvalidSignatureException', date: wrong() },
        })
      },
    })
    expect(await rejection(ai.get('x'))).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
    isHealthy = true
    // Signed with the wrong date, refused, and signed once more with the machine's time.
    expect(await isOk(ai)).toBe(true)
    expect(await isOk(ai)).toBe(true)
    expect(dates.length).toBe(4)
  })

  it('is kept where the next refusal has another reason', async () => {
    const dates: string[] = []
    const hour = 3_600_000
    const fetch: typeof globalThis.fetch = async (_, init) => {
      dates.push(new Headers(init?.headers).get('x-amz-date') ?? '')
      const isLate = Math.abs(toTime(dates.at(-1) as string) - Date.now() - hour) > WINDOW_MS
      const message = isLate ? 'Signature expired: x' : 'The request signature we calculated does not match'
      const date = new Date(Date.now() + hour).toUTCString()
      const headers = { 'x-amzn-errortype': 'InvalidSignatureException', date }
      return answer(JSON.stringify({ message }), { status: 403, headers })
    }
    const { ai } = createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch, retry: 0 })
    await ai.fetch('x')
    await ai.fetch('x')
    expect(dates.map((date) => toTime(date) - Date.now() > hour / 2)).toEqual([false, true, true])
  })

  it('of a signed fetch neither', async () => {
    const { fetch, dates } = useGateway(wrong, 3_600_000)
    const signed = createSignedFetch({ credentials: IDENTITY, region: 'eu-central-1', service: 'execute-api', fetch })
    await signed(`${BASE}/x`)
    await signed(`${BASE}/x`)
    expect(Math.abs(toTime(dates[2] as string) - Date.now())).toBeLessThan(2000)
  })
})

it('each signature has a date for any dates in responses, and follows a gateway that sends its own', async () => {
  const anyDate = fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc
      .date({ noInvalidDate: true, min: new Date('2012-01-01'), max: new Date('2099-12-31') })
      .map((date) => date.toUTCString()),
    fc.constantFrom(...ODD_DATES),
    fc.stringMatching(/^[\w ,:+-]{0,40}$/),
    fc.constant(undefined),
  )
  const SKEW = 3_600_000
  await fc.assert(
    fc.asyncProperty(fc.array(anyDate, { minLength: 1, maxLength: 6 }), async (odd) => {
      let isRight = false
      const { ai, dates } = useGateway(
        (count) => (isRight ? new Date(Date.now() + SKEW).toUTCString() : odd[count % odd.length]?.trim()),
        SKEW,
      )
      for (const _ of odd) await isOk(ai)
      for (const amzDate of dates) expect(amzDate).toMatch(AMZ_DATE)
      expect(dates.length).toBeLessThanOrEqual(2 * odd.length)
      isRight = true
      expect(await isOk(ai)).toBe(true)
    }),
  )
})

it.each([Number.NaN, 8.64e15 + 1, Date.UTC(10_000, 0), Date.UTC(-1, 0), Number.POSITIVE_INFINITY])(
  'a machine whose own clock says %d signs nothing',
  async (time) => {
    const clock = vi.spyOn(Date, 'now').mockReturnValue(time)
    onTestFinished(() => clock.mockRestore())
    const { ai, dates } = useGateway(() => undefined)
    expect(await rejection(ai.get('x'))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      attempts: 0,
      message: 'ai: GET /x: the clock returned a time that a signature cannot contain',
    })
    expect(dates).toEqual([])
  },
)
