import { expect, it } from 'vitest'
import { parseBaseUrl } from '../../../src/config/base-url.ts'
import { createServices } from '../../../src/index.ts'
import { resolveEndpoint } from '../../../src/signing/service-table.ts'
import { rejection } from '../../support/helpers.ts'

const HOST = 'id.execute-api.eu-central-1.amazonaws.com'

it.each([
  [parseBaseUrl('http://h.example'), /^must start with https:\/\/ \(.* or with the option allowHttp\)$/],
  [resolveEndpoint(HOST, { region: 'x' }), /^the host's region is 'eu-central-1', but the option says 'x'$/],
  [resolveEndpoint('sqs.eu-central-1.amazonaws.com', {}), /unknown service: set region and signingName$/],
])('a problem that the command recognises by its words: %s', (problem, expected) => {
  expect(problem).toMatch(expected)
})

it('a call without credentials says so', async () => {
  const credentials = () => Promise.reject(new Error('none found'))
  const { ai } = createServices({ services: { ai: `https://${HOST}` }, credentials })
  expect(await rejection(ai.get('x'))).toMatchObject({ message: 'ai: GET /x: no credentials: none found' })
})
