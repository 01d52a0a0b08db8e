import { expect, vi } from 'vitest'
import { IDENTITY, setEnv, useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: {}, integration: { 'GET /health': {} } })
// The gateway knows the assumed role's credentials only.
setEnv({ AWS_ACCESS_KEY_ID: 'AKIDOTHER', AWS_SECRET_ACCESS_KEY: 'other', AWS_SESSION_TOKEN: undefined })

// #region

import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { type AwsCredentialIdentity, createServices } from 'middy-signed-services'

const sts = new STSClient()
const role = { RoleArn: 'arn:aws:iam::123456789012:role/publisher', RoleSessionName: 'publisher' }

async function assumeRole(): Promise<AwsCredentialIdentity> {
  const { Credentials } = await sts.send(new AssumeRoleCommand(role))
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '', Expiration = new Date() } = Credentials ?? {}
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
  }
}

export const { ai, integration } = createServices({
  services: { ai: {}, integration: { credentials: assumeRole } },
})

// #endregion

const send = vi.spyOn(sts, 'send').mockImplementation(async () => ({
  Credentials: {
    AccessKeyId: IDENTITY.accessKeyId,
    SecretAccessKey: IDENTITY.secretAccessKey,
    SessionToken: IDENTITY.sessionToken,
    Expiration: new Date(Date.now() + 3_600_000),
  },
}))
await integration.get('health')
await integration.get('health')
expect(send).toHaveBeenCalledTimes(1)
expect(gateway.requests.map(({ status }) => status)).toEqual([200, 200])
