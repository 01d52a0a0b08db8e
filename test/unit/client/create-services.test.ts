import { describe, expect, it } from 'vitest'
import { createServices } from '../../../src/client/create-services.ts'
import { IDENTITY } from '../../support/helpers.ts'

const URL_ = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

describe('createServices', () => {
  it('creates one client for each service', () => {
    const services = createServices({ services: { ai: `${URL_}/ai`, admin: `${URL_}/admin` }, credentials: IDENTITY })
    expect(Object.values(services).map(({ name, url }) => [name, url])).toEqual([
      ['ai', `${URL_}/ai`],
      ['admin', `${URL_}/admin`],
    ])
  })

  it.each<[string, object]>([
    ['services.ai.internal', { services: { ai: { internal: 'aiUrl' } } }],
    ['services.ai.credentials', { services: { ai: { url: URL_, credentials: 'role' } } }],
    ['credentials', { services: { ai: URL_ }, credentials: 'role' }],
  ])('refuses a Middy internal value in %s, which it has no request to read from', (path, options) => {
    expect(() => createServices(options)).toThrow(
      expect.objectContaining({
        code: 'ERR_SERVICES_CONFIG',
        problems: [`${path}: names a Middy internal value, which only signedServices can read`],
      }),
    )
  })

  it('names itself in the message about a wrong option', () => {
    expect(() => createServices({ timeOut: 1 } as object)).toThrow(
      'timeOut: no such option of createServices; did you mean timeout?',
    )
  })
})
