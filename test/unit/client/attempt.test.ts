import { expect, it } from 'vitest'
import { LightSignal } from '../../../src/client/abort.ts'
import { sendAttempt } from '../../../src/client/attempt.ts'
import { openCall, type ServiceRuntime } from '../../../src/client/service-call.ts'
import { type BaseUrl, parseBaseUrl } from '../../../src/config/base-url.ts'
import type { ServiceConfig } from '../../../src/config/resolve-config.ts'
import { readOutgoing } from '../../../src/signing/request-body.ts'

const base = parseBaseUrl('https://h.example/prod') as BaseUrl

class CountingSignal extends LightSignal {
  count = 0

  override addEventListener(type: 'abort', listener: () => void): void {
    this.count += 1
    super.addEventListener(type, listener)
  }

  override removeEventListener(type: 'abort', listener: () => void): void {
    this.count -= 1
    super.removeEventListener(type, listener)
  }
}

it.each<[string, () => Promise<Response>]>([
  ['an answer without a body', async () => new Response(null)],
  ['an answer that is read', async () => new Response('{}')],
  ['no answer', () => Promise.reject(new TypeError('fetch failed'))],
])("lets go of its call's bounds with %s", async (_, send) => {
  const call = openCall({ name: 'ai', timeout: 1000 } as ServiceConfig, { readTrace: () => undefined })
  const signal = new CountingSignal()
  let held = 0
  const hold = () => {
    held += 1
    return () => {
      held -= 1
    }
  }
  const bounds = { signal, hold, abort() {} }
  const answer = sendAttempt(
    { send } as unknown as ServiceRuntime,
    base,
    call,
    bounds,
    readOutgoing(new URL(base.href)),
  )
  expect([signal.count, held]).toEqual([1, 1])
  await answer.then((response) => response.text()).catch(() => {})
  expect([signal.count, held]).toEqual([0, 0])
})
