// #region

import { mockServices, reply } from 'middy-signed-services/testing'
import { expect, vi } from 'vitest'

vi.useFakeTimers()
let requests = 0
const { ai } = mockServices({
  ai: { 'GET /jobs/7': () => (requests++ === 0 ? reply(503, {}, { 'retry-after': '7' }) : { done: true }) },
})

const job = ai.get('jobs/7').json()
await vi.advanceTimersByTimeAsync(7_000)
expect(await job).toEqual({ done: true })
vi.useRealTimers()

// #endregion

expect(requests).toBe(2)
