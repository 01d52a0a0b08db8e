import { createServer } from 'node:net'
import {
  createServices,
  ServiceAuthError,
  ServiceNetworkError,
  ServicesConfigurationError,
  ServiceTimeoutError,
} from 'middy-signed-services'
import { invokeApiGateway } from 'middy-signed-services/request-signer'
import { mockServices, reply, startLocalGateway } from 'middy-signed-services/testing'
import { handler } from './handler.js'

const failureOf = (promise) =>
  promise.then(
    () => undefined,
    (error) => error,
  )

describe('a handler', () => {
  const routes = {
    ai: { 'POST /generate': ({ json }) => ({ jobId: json.topic.toLowerCase() }) },
    integration: { 'PUT /posts/:id': {} },
  }

  test('runs with mocks', async () => {
    const services = mockServices(routes)
    expect(await handler({ topic: 'SigV4' }, { services })).toEqual({ jobId: 'sigv4' })
    expect(services.integration.calls).toMatchObject([
      { method: 'PUT', path: '/posts/sigv4', json: { topic: 'SigV4' } },
    ])
  })

  test('fails with the errors of the package', async () => {
    const services = mockServices({
      ...routes,
      integration: { 'PUT /posts/:id': reply(403, { message: 'Forbidden' }) },
    })
    const error = await failureOf(handler({ topic: 'x' }, { services }))
    expect(error).toBeInstanceOf(ServiceAuthError)
    expect(error).toMatchObject({ code: 'ERR_SERVICE_AUTH', reason: 'forbidden' })
  })

  test('runs against the local gateway, which verifies signatures', async () => {
    const gateway = await startLocalGateway({ services: routes })
    const before = { ...process.env }
    Object.assign(process.env, gateway.env)
    try {
      const { ai, integration } = createServices({ services: ['ai', 'integration'] })
      expect(await handler({ topic: 'A' }, { services: { ai, integration } })).toEqual({ jobId: 'a' })
      const response = await ai.fetch('generate', { method: 'POST', body: '{"topic":"B"}' })
      expect(response).toBeInstanceOf(Response)
      expect(await response.json()).toEqual({ jobId: 'b' })
      expect(gateway.requests.map(({ status, signature }) => [status, signature.verified])).toEqual([
        [200, true],
        [200, true],
        [200, true],
      ])
      gateway.fail('ai *', 'hang')
      expect(await failureOf(ai.post('generate', { json: {}, timeout: 50 }))).toBeInstanceOf(ServiceTimeoutError)
      const signal = AbortSignal.timeout(50)
      expect(await failureOf(ai.post('generate', { json: {}, signal }))).toBe(signal.reason)
    } finally {
      process.env = before
      await gateway.close()
    }
  })
})

describe('a call to a port that takes no connections', () => {
  const findClosedPort = async () => {
    const server = createServer()
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address()
    await new Promise((resolve) => server.close(resolve))
    return port
  }

  // Errors of Node.js itself come from another realm than the tests.
  test.each([
    ['the default transport', {}],
    ['global fetch', { fetch: globalThis.fetch }],
  ])('is sent again by %s, whatever its method, as nothing was connected', async (_name, options) => {
    const url = `http://127.0.0.1:${await findClosedPort()}`
    for (const method of ['get', 'post']) {
      const { ai } = createServices({ services: { ai: url }, retry: { delay: () => 0 }, ...options })
      const error = await failureOf(ai[method]('x'))
      expect(error).toBeInstanceOf(ServiceNetworkError)
      expect(error).toMatchObject({ networkCode: 'ECONNREFUSED', neverConnected: true, attempts: 3 })
      expect(error.message).toContain('connect ECONNREFUSED 127.0.0.1:')
    }
  })

  test('is a ServiceNetworkError for the plain functions, too', async () => {
    const url = `http://127.0.0.1:${await findClosedPort()}`
    expect(await failureOf(invokeApiGateway(url, 'POST', '/x'))).toBeInstanceOf(ServiceNetworkError)
  })
})

test('mistakes in the options throw the same error as outside Jest', () => {
  expect(() => createServices({ services: { ai: 'https://ai.example.com' }, timeOut: 5 })).toThrow(
    ServicesConfigurationError,
  )
})
