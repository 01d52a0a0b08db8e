import { describe, expect, it, onTestFinished } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import { observeClient } from '../../../src/cli/signed-call.ts'
import { findCredentials, resolveTarget } from '../../../src/cli/target.ts'
import type { ServiceConfig } from '../../../src/config/index.ts'
import { reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'

const observe = async (more: Partial<ServiceConfig> = {}) => {
  const gateway = await startLocalGateway({
    credentials: IDENTITY,
    services: {
      ai: {
        'GET /health': 'healthy',
        'GET /missing': reply(404, 'no such path'),
        'GET /large': reply(500, 'x'.repeat(100)),
      },
    },
  })
  onTestFinished(gateway.close)
  const command = readArguments(['call', 'ai', '--retry', '0'])
  if (command.kind !== 'call') throw new Error('not a call')
  const { service } = resolveTarget('ai', command, gateway.env)
  return observeClient(
    { ...service, ...more },
    { credentials: findCredentials(undefined, gateway.env).source, now: Date.now },
  )
}

describe('a client that is observed', () => {
  it('gives the response of the transport, whose body nobody has read', async () => {
    const { client, attempts, failureBody } = await observe()
    const response = await client('health')
    expect(attempts).toMatchObject([{ method: 'GET', response: { status: 200, bodyUsed: false }, tried: [] }])
    expect(await response.text()).toBe('healthy')
    expect(failureBody()).toBeUndefined()
  })

  it('keeps the body of a failure', async () => {
    const { client, attempts, failureBody } = await observe()
    expect(await rejection(client('missing'))).toMatchObject({ status: 404, data: 'no such path' })
    expect(attempts).toMatchObject([{ response: { status: 404 } }])
    expect(String(Buffer.from(failureBody() ?? []))).toBe('no such path')
  })

  it('keeps no body of an earlier failure after one that is too large to be read', async () => {
    const { client, failureBody } = await observe({ maxResponseSize: 50 })
    await rejection(client('missing'))
    expect(failureBody()).toBeDefined()
    expect(await rejection(client('large'))).toMatchObject({ status: 500 })
    expect(failureBody()).toBeUndefined()
  })

  it('measures an attempt', async () => {
    const { client, attempts } = await observe()
    const startedAt = performance.now()
    await client('health')
    expect(attempts[0]?.durationMs).toBeLessThanOrEqual(performance.now() - startedAt)
  })
})
