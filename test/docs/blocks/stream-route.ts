// #region

import { fail, mockServices, reply } from 'middy-signed-services/testing'
import { expect } from 'vitest'

async function* events() {
  yield 'data: first\n\n'
  yield 'data: last\n\n'
}

const { ai } = mockServices({
  ai: {
    'GET /generate/stream': () => reply(200, events(), { 'content-type': 'text/event-stream' }),
    'POST /generate/social-post': fail('throttled'),
  },
})
expect(await ai.get('generate/stream').text()).toBe('data: first\n\ndata: last\n\n')
await expect(ai.post('generate/social-post').json()).rejects.toMatchObject({ code: 'ERR_SERVICE_THROTTLED' })

// #endregion

expect(ai.calls.map(({ method }) => method)).toEqual(['GET', 'POST', 'POST', 'POST'])
