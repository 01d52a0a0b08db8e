import middy from '@middy/core'
import sts from '@middy/sts'
import { describe, expect, it } from 'vitest'
import { type ServicesContext, signedServices } from '../../../src/index.ts'
import { IDENTITY, setEnv, useGateway } from '../../support/helpers.ts'
import { useAwsEndpoint } from './aws-endpoint.ts'

describe('@middy/sts', () => {
  it('gives the credentials that calls are signed with', async () => {
    // The gateway accepts only the credentials of the assumed role.
    const gateway = await useGateway({ ai: { 'GET /x': { ok: true } } })
    setEnv({ AWS_ACCESS_KEY_ID: 'AKIDOTHER', AWS_SECRET_ACCESS_KEY: 'other', AWS_SESSION_TOKEN: undefined })
    const { accessKeyId, secretAccessKey, sessionToken } = IDENTITY
    const endpoint = await useAwsEndpoint(
      'text/xml',
      () => `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
        <AccessKeyId>${accessKeyId}</AccessKeyId>
        <SecretAccessKey>${secretAccessKey}</SecretAccessKey>
        <SessionToken>${sessionToken}</SessionToken>
        <Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration>
      </Credentials></AssumeRoleResult></AssumeRoleResponse>`,
    )
    const handler = middy()
      .use(
        sts({
          // Its types say string.
          fetchData: { caller: { RoleArn: 'arn:aws:iam::123456789012:role/caller' } as never },
          awsClientOptions: endpoint.options,
          disablePrefetch: true,
        }),
      )
      .use(signedServices({ services: ['ai'], credentials: 'caller' }))
      .handler(async (_, { services: { ai } }) => ai.get('x').json())
    for (let invocation = 0; invocation < 2; invocation += 1) {
      expect(await handler({}, {} as ServicesContext<'ai'>)).toEqual({ ok: true })
    }
    expect(gateway.requests.map(({ signature }) => signature.verified)).toEqual([true, true])
    expect(endpoint.bodies).toEqual([expect.stringContaining('Action=AssumeRole')])
  })
})
