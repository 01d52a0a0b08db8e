import type { ServicesContext } from 'middy-signed-services'
import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ background: { 'POST /events': {} } })
const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})

// #region

import middy from '@middy/core'
import signedServices from 'middy-signed-services'

export const handler = middy<{ name: string }>()
  .use(signedServices({ services: ['background'], pendingCalls: 300 }))
  .handler(async ({ name }, { services: { background } }) => {
    // Not awaited: the call has 300 ms after the handler's end.
    background.post('events', { json: { name } })
    return { accepted: true }
  })

// #endregion

expect(await handler({ name: 'x' }, {} as ServicesContext<'background'>)).toEqual({ accepted: true })
expect(gateway.requests.map(({ json }) => json)).toEqual([{ name: 'x' }])
expect(String(warned.mock.calls[0])).toContain('background POST /events (finished)')
warned.mockRestore()
