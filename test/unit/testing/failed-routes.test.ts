import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices } from '../../../src/index.ts'
import { mockServices, reply } from '../../../src/testing/index.ts'
import { rejection, useGateway } from '../../support/helpers.ts'

describe('a route that fails', () => {
  const error = new Error('expected 1 to be 2')
  const routes = {
    ai: {
      'GET /jobs/:id': () => {
        throw error
      },
      'GET /odd': () => ({ big: 1n }),
      'GET /refused': () => Promise.reject('a text'),
      'GET /fine': () => undefined,
      'GET /failed': reply(500),
    },
  }

  it.each([
    ['startLocalGateway', async () => void (await useGateway(routes)), () => createServices({ services: ['ai'] }).ai],
    ['mockServices', async () => {}, () => mockServices(routes).ai],
  ])('has its error shown on the console by %s', async (owner, prepare, clientOf) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => log.mockRestore())
    await prepare()
    const ai = clientOf()
    await Promise.all(['fine', 'failed', 'unknown'].map((path) => ai.get(path, { retry: 0 }).catch(() => {})))
    expect(log).not.toHaveBeenCalled()
    for (const path of ['jobs/1', 'odd', 'refused']) await rejection(ai.get(path, { retry: 0 }).json())
    expect(log.mock.calls).toEqual([
      [`${owner}: the route 'GET /jobs/:id' of service 'ai' failed:`, error],
      [`${owner}: the route 'GET /odd' of service 'ai' failed:`, expect.any(TypeError)],
      [`${owner}: the route 'GET /refused' of service 'ai' failed:`, 'a text'],
    ])
    expect(log.mock.calls[0]?.[1]).toBe(error)
  })
})
