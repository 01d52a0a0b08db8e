import middy from '@middy/core'
import ssm from '@middy/ssm'
import { clearCache } from '@middy/util'
import { afterEach, describe, expect, it } from 'vitest'
import { type ServicesContext, signedServices } from '../../../src/index.ts'
import { rejection, useGateway } from '../../support/helpers.ts'
import { useAwsEndpoint } from './aws-endpoint.ts'

const context = () => ({}) as ServicesContext<'ai' | 'integration'>

afterEach(() => clearCache())

describe('@middy/ssm', () => {
  const setUp = async (parameters: (url: string) => Record<string, string>) => {
    const gateway = await useGateway({
      ai: { 'GET /x': { from: 'ai' } },
      integration: { 'GET /x': { from: 'integration' } },
    })
    const known = parameters(gateway.url)
    const endpoint = await useAwsEndpoint('application/x-amz-json-1.1', (body) => {
      const { Names } = JSON.parse(body) as { Names: string[] }
      const found = Names.filter((Name) => Name in known)
      return JSON.stringify({
        Parameters: found.map((Name) => ({ Name, Type: 'String', Value: known[Name] })),
        InvalidParameters: Names.filter((Name) => !found.includes(Name)),
      })
    })
    const handler = middy()
      .use(
        ssm({
          fetchData: { aiUrl: '/prod/ai-url', integrationUrl: '/prod/integration-url' },
          awsClientOptions: endpoint.options,
          disablePrefetch: true,
        }),
      )
      .use(signedServices({ services: { ai: { internal: 'aiUrl' }, integration: { internal: 'integrationUrl' } } }))
      .handler(async (_, { services: { ai, integration } }) => [
        await ai.get('x').json(),
        await integration.get('x').json(),
      ])
    return { gateway, endpoint, handler }
  }

  it('gives the URLs of services, fetched once for all invocations', async () => {
    const { gateway, endpoint, handler } = await setUp((url) => ({
      '/prod/ai-url': `${url}/ai`,
      '/prod/integration-url': `${url}/integration`,
    }))
    for (let invocation = 0; invocation < 3; invocation += 1) {
      expect(await handler({}, context())).toEqual([{ from: 'ai' }, { from: 'integration' }])
    }
    expect(gateway.requests).toHaveLength(6)
    expect(gateway.requests.every(({ signature }) => signature.verified)).toBe(true)
    expect(endpoint.bodies).toHaveLength(1)
  })

  it('gives a value that is no URL, and the error names it', async () => {
    const { gateway, handler } = await setUp((url) => ({ '/prod/ai-url': 'ai', '/prod/integration-url': `${url}/x` }))
    expect(await rejection(handler({}, context()))).toMatchObject({
      code: 'ERR_SERVICES_CONFIG',
      problems: ["internal value 'aiUrl': https:// is missing"],
    })
    expect(gateway.requests).toEqual([])
  })

  it('fails for a parameter that is not there, and so does the invocation', async () => {
    const { gateway, handler } = await setUp(() => ({}))
    const error = (await rejection(handler({}, context()))) as Error & { cause: { data: Error[] } }
    expect(error.cause.data.map(({ message }) => message)).toEqual([
      'InvalidParameter /prod/ai-url',
      'InvalidParameter /prod/integration-url',
    ])
    expect(gateway.requests).toEqual([])
  })
})
