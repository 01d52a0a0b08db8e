import middy from '@middy/core'
import signedServices, { type ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /jobs': [] } })

// #region

import { fetch } from 'middy-signed-services/undici'

const onUndici = signedServices({ services: ['ai'], fetch })

// #endregion

const handler = middy()
  .use(onUndici)
  .handler(async (_, { services: { ai } }) => ai.get('jobs').json())
expect(await handler({}, {} as ServicesContext<'ai'>)).toEqual([])
expect(gateway.requests).toMatchObject([{ signature: { verified: true } }])
