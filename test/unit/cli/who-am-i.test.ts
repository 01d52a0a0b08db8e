import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { stsUrl, whoAmI } from '../../../src/cli/who-am-i.ts'
import { verifySignature } from '../../../src/testing/index.ts'
import { IDENTITY } from '../../support/helpers.ts'

describe('STS', () => {
  it.each([
    ['eu-central-1', {}, 'https://sts.eu-central-1.amazonaws.com'],
    ['us-gov-west-1', {}, 'https://sts.us-gov-west-1.amazonaws.com'],
    ['cn-north-1', {}, 'https://sts.cn-north-1.amazonaws.com.cn'],
    ['eusc-de-east-1', {}, 'https://sts.eusc-de-east-1.amazonaws.eu'],
    ['us-isob-east-1', {}, 'https://sts.us-isob-east-1.sc2s.sgov.gov'],
    ['us-isof-south-1', {}, 'https://sts.us-isof-south-1.csp.hci.ic.gov'],
    ['eu-isoe-west-1', {}, 'https://sts.eu-isoe-west-1.cloud.adc-e.uk'],
    ['us-iso-east-1', {}, 'https://sts.us-iso-east-1.c2s.ic.gov'],
    ['us-iso-east-1', { AWS_ENDPOINT_URL: 'http://localhost:4566' }, 'http://localhost:4566'],
    ['us-east-1', { AWS_ENDPOINT_URL: 'http://a', AWS_ENDPOINT_URL_STS: 'http://b' }, 'http://b'],
  ])('of %s with %j is at %s', (region, env, url) => expect(stsUrl(region, env)).toBe(url))

  const start = async (status: number, body: string) => {
    const bodies: string[] = []
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const received = { method: 'POST', target: request.url as string, rawHeaders: request.rawHeaders }
      const options = { credentials: [IDENTITY], region: 'eu-west-1', service: 'sts' }
      const verdict = verifySignature({ ...received, body: Buffer.concat(chunks) }, options)
      bodies.push(`${verdict.verified} ${request.headers['content-type']} ${Buffer.concat(chunks)}`)
      response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { bodies, ask: () => whoAmI(IDENTITY, 'eu-west-1', url, new AbortController().signal) }
  }

  it('names the caller', async () => {
    const { ask, bodies } = await start(
      200,
      '<GetCallerIdentityResult><Arn>arn:aws:iam::1:user/me</Arn><UserId>U</UserId><Account>1</Account></GetCallerIdentityResult>',
    )
    expect(await ask()).toEqual({ arn: 'arn:aws:iam::1:user/me', account: '1' })
    expect(bodies).toEqual([
      'true application/x-www-form-urlencoded; charset=utf-8 Action=GetCallerIdentity&Version=2011-06-15',
    ])
  })

  it.each([
    [
      403,
      '<Error><Code>ExpiredToken</Code><Message>too old</Message></Error>',
      'STS returned 403: ExpiredToken: too old',
    ],
    [200, '<html>', 'STS returned 200'],
    [200, '<Arn>arn</Arn>', 'STS returned 200'],
    [200, '<Account>1</Account>', 'STS returned 200'],
    [500, '<Arn>arn</Arn><Account>1</Account>', 'STS returned 500'],
  ])('answers %i %s', async (status, body, message) => {
    const { ask } = await start(status, body)
    await expect(ask()).rejects.toThrow(new Error(message))
  })
})
