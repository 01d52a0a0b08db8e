import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /publish/blog': {} } })

// #region

import { createServices } from 'middy-signed-services'

const { integration } = createServices({ services: ['integration'] })

export async function publish(post: { title: string }, apiKey: string): Promise<void> {
  await integration.post('publish/blog', { json: post, headers: { 'x-api-key': apiKey } })
}

// #endregion

await publish({ title: 'Title' }, 'key-of-a-test')
expect(gateway.requests[0]?.headers['x-api-key']).toBe('key-of-a-test')
