import middy from '@middy/core'
import { executionModeStreamifyResponse } from '@middy/core/StreamifyResponse'
import signedServices from 'middy-signed-services'

interface Prompt {
  readonly topic: string
}

/**
 * Relays the server-sent events of the AI service as they arrive. Generating a text may take longer than any timeout, so
 * the call ends only after 20 seconds without data. The service sends a comment regularly to prevent that.
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
