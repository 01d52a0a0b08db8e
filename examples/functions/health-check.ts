import middy from '@middy/core'
import signedServices, { ServiceError } from 'middy-signed-services'

/** Requests the health of all services concurrently. Without retries: the first response counts. */
export const handler = middy()
  .use(signedServices({ timeout: 1_000, retry: 0 }))
  .handler(async (_event, { services }) => {
    const checks = Object.values(services).map(async (service) => {
      try {
        const { status } = await service.get('health').json<{ status: string }>()
        return [service.name, status] as const
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error
        return [service.name, error.code] as const
      }
    })
    const statuses = Object.fromEntries(await Promise.all(checks))
    const isHealthy = Object.values(statuses).every((status) => status === 'healthy')
    return { statusCode: isHealthy ? 200 : 503, body: JSON.stringify(statuses) }
  })
