import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /publish/blog': {} } })
const { integration } = createServices({ services: ['integration'] })
const [post, apiKey] = [{ title: 'Title' }, 'key-of-nobody']

// #region

await integration.post('publish/blog', { json: post, headers: { 'x-api-key': apiKey } })

// #endregion

expect(gateway.requests[0]?.headers['x-api-key']).toBe(apiKey)
