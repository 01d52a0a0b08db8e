import middy from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import signedServices from 'middy-signed-services'

/**
 * The provider redirects the user to this callback. It exchanges the code, and fails if that fails. It also counts the
 * connection, but only logs a failure of that. The integration service checks the `state`, which it issued.
 */
export const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>()
  .use(signedServices({ services: ['integration', 'background'] }))
  .handler(async ({ pathParameters, queryStringParameters }, { services: { integration, background } }) => {
    const provider = pathParameters?.provider
    const { code, state } = queryStringParameters ?? {}
    if (!provider || !code || !state) return { statusCode: 400 }

    const { userId } = await integration
      .post('oauth/exchange', { json: { provider, code, state } })
      .json<{ userId: string }>()
    try {
      await background.post('analytics/connections', { json: { userId, provider }, timeout: 1_000 })
    } catch (error) {
      console.warn('The connection was not counted:', (error as Error).message)
    }
    return { statusCode: 303, headers: { location: `/settings/connections?added=${encodeURIComponent(provider)}` } }
  })
