/** Runs `functions/oauth-callback.ts`: the analytics service fails, and the user is connected nevertheless. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { localContext, runLocally } from './support/run-locally.ts'

const services = {
  integration: { 'POST /oauth/exchange': { userId: 'u-1' } },
  background: { 'POST /analytics/connections': { counted: true } },
}

await runLocally(services, async (gateway) => {
  const { handler } = await import('./functions/oauth-callback.ts')
  gateway.fail('background *', 'internal-error')
  const event = { pathParameters: { provider: 'linkedin' }, queryStringParameters: { code: 'abc', state: 'xyz' } }
  const result = await handler(event as unknown as APIGatewayProxyEventV2, localContext())

  console.log('Returned:', JSON.stringify(result))
  equal(result, { statusCode: 303, headers: { location: '/settings/connections?added=linkedin' } })
  equal(
    gateway.requests.map(({ service, status }) => [service, status]),
    [
      ['integration', 200],
      ['background', 500],
    ],
  )
})
