import { describe, expect, it, onTestFinished } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import { observeClient } from '../../../src/cli/signed-call.ts'
import { findCredentials, resolveTarget } from '../../../src/cli/target.ts'
import { reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'

const observe = async () => {
  const gateway = await startLocalGateway({
    credentials: IDENTITY,
    services: { ai: { 'GET /health': 'healthy', 'GET /missing': reply(404, 'no such path') } },
  })
  onTestFinished(gateway.close)
  const command = readArguments(['call', 'ai', '--retry', '0'])
  if (command.kind !== 'call') throw new Error('not a call')
  const { service } = resolveTarget('ai', command, gateway.env)
  return observeClient(service, { credentials: findCredentials(undefined, gateway.env).source, now: Date.now })
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

  it('measures an attempt', async () => {
    const { client, attempts } = await observe()
    const startedAt = performance.now()
    await client('health')
    expect(attempts[0]?.durationMs).toBeLessThanOrEqual(performance.now() - startedAt)
  })
})
