import mockContext from 'aws-lambda-mock-context'
import type { ServicesContext } from 'middy-signed-services'
import { startLocalGateway } from 'middy-signed-services/testing'
import { expect, it } from 'vitest'

it('reports which services are healthy, and the error codes of the others', async () => {
  const healthy = { 'GET /health': { status: 'healthy' } }
  const gateway = await startLocalGateway({
    services: { ai: healthy, integration: healthy, background: healthy, admin: healthy },
  })
  try {
    Object.assign(process.env, gateway.env)
    const { handler } = await import('../functions/health-check.ts')
    const check = async () => JSON.parse((await handler({}, mockContext({ timeout: 60 }) as ServicesContext)).body)

    const allHealthy = { ai: 'healthy', integration: 'healthy', background: 'healthy', admin: 'healthy' }
    expect(await check()).toEqual(allHealthy)
    gateway.fail('integration GET /health', 'access-denied')
    gateway.fail('background GET /health', 'hang')
    expect(await check()).toEqual({ ...allHealthy, integration: 'ERR_SERVICE_AUTH', background: 'ERR_SERVICE_TIMEOUT' })
  } finally {
    await gateway.close()
  }
})
