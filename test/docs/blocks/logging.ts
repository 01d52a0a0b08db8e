import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import signedServices, { type ServicesContext } from 'middy-signed-services'
import { expect, vi } from 'vitest'
import { setEnv, useGateway } from '../../support/helpers.ts'

await useGateway({ ai: { 'GET /jobs': [] }, integration: {}, background: {}, admin: {} })
setEnv({ POWERTOOLS_DEV: 'true' })
const lines = vi.spyOn(console, 'info').mockImplementation(() => {})
const durations: number[] = []

// #region

const logger = new Logger({ serviceName: 'publisher' })
const withLog = signedServices({ logger, onCall: ({ durationMs }) => durations.push(durationMs) })

// #endregion

const handler = middy()
  .use(withLog)
  .handler(async (_, { services: { ai } }) => ai.get('jobs').json())
await handler({}, {} as ServicesContext)
expect(durations).toEqual([expect.any(Number)])
expect(lines.mock.calls.join()).toContain('ai: GET /jobs: 200')
lines.mockRestore()
