/** Runs `functions/health-check.ts`: one service fails, one hangs, and two are healthy. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { localContext, runLocally } from './support/run-locally.ts'

const healthy = { 'GET /health': { status: 'healthy' } }

await runLocally({ ai: healthy, integration: healthy, background: healthy, admin: healthy }, async (gateway) => {
  const { handler } = await import('./functions/health-check.ts')
  const check = async () => {
    const response = await handler({}, localContext())
    console.log(response.statusCode, response.body)
    return { statusCode: response.statusCode, statuses: JSON.parse(response.body) }
  }

  const well = { ai: 'healthy', integration: 'healthy', background: 'healthy', admin: 'healthy' }
  equal(await check(), { statusCode: 200, statuses: well })
  gateway.fail('integration *', 'internal-error')
  gateway.fail('background *', 'hang')
  const statuses = { ...well, integration: 'ERR_SERVICE_RESPONSE', background: 'ERR_SERVICE_TIMEOUT' }
  equal(await check(), { statusCode: 503, statuses })
})
