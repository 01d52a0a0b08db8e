import middy from '@middy/core'
import { executionModeStreamifyResponse } from '@middy/core/StreamifyResponse'
import signedServices from '../../src/index.ts'

interface Prompt {
  readonly topic: string
}

/**
 * Relays the server-sent events of the AI service as they come. A text may take longer to write than any timeout, so only
 * silence ends the call: after 20 seconds without an event. The service sends a comment now and then to avoid that.
 */
export const handler = middy<Prompt>({ executionMode: executionModeStreamifyResponse })
  .use(signedServices({ services: { ai: { idleTimeout: 20_000 } } }))
  .handler(async ({ topic }, { services: { ai } }) => {
    const { body } = await ai.get('generate/stream', {
      searchParams: { topic },
      headers: { accept: 'text/event-stream' },
      timeout: false,
    })
    return { statusCode: 200, headers: { 'content-type': 'text/event-stream' }, body }
  })
