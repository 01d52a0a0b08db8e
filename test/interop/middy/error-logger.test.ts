import { inspect } from 'node:util'
import middy from '@middy/core'
import errorLogger from '@middy/error-logger'
import { describe, expect, it, vi } from 'vitest'
import { type ServicesContext, signedServices } from '../../../src/index.ts'
import { IDENTITY, rejection, useGateway } from '../../support/helpers.ts'

describe('@middy/error-logger', () => {
  it.each([
    ['its own logger, the console', undefined],
    ['a logger that prints the whole request, as far as it goes', { depth: 20, showHidden: true }],
  ])('logs a failed call with %s, and nothing secret', async (_, options) => {
    const gateway = await useGateway({ ai: { 'GET /x': {} } })
    gateway.fail('ai *', 'signature-mismatch')
    const print = vi.spyOn(console, 'error').mockImplementation(() => {})
    const logger = options && { logger: (request: unknown) => console.error(inspect(request, options)) }
    const handler = middy()
      .use(errorLogger(logger))
      .use(signedServices({ services: ['ai'] }))
      .handler(async (_, { services: { ai } }) => ai.get('x').json())
    const error = await rejection(handler({}, {} as ServicesContext<'ai'>))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_AUTH', reason: 'signature-mismatch' })
    expect(print).toHaveBeenCalledOnce()
    const printed = inspect(print.mock.calls[0]?.[0], { depth: 20, showHidden: true })
    print.mockRestore()
    expect(printed).toContain('ServiceAuthError')
    expect(printed).not.toContain(IDENTITY.secretAccessKey)
    expect(printed).not.toContain(IDENTITY.sessionToken)
    expect(printed).not.toMatch(/Signature=[\da-f]{64}/)
  })
})
