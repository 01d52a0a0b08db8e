/**
 * Runs the functions of `template.yaml` without an AWS account: the services behind a local gateway, and the caller. Fails
 * if the policy in the template does not allow one of the calls.
 */
import { strictEqual as equal, match, ok } from 'node:assert/strict'
import type { ServicesContext } from 'middy-signed-services'
import { localContext, runLocally } from '../support/run-locally.ts'
import { findCaller, findGrants, loadHandler, localServices, readTemplate } from './template.ts'

type Handler = (event: object, context: ServicesContext) => Promise<{ jobId: string; views: number }>

const template = readTemplate()
const { caller, services } = findCaller(template)
const account = { 'AWS::Partition': 'aws', 'AWS::Region': 'us-east-1', 'AWS::AccountId': '123456789012' }
const grants = findGrants(caller, { ...account, ...Object.fromEntries(services.map(({ name, api }) => [api, name])) })

await runLocally(await localServices(template), async (gateway) => {
  const handler = (await loadHandler(caller)) as Handler
  const result = await handler({ userId: 'u-1', topic: 'SigV4' }, localContext())

  console.log('Returned:', JSON.stringify(result))
  match(result.jobId, /^[\da-f-]{36}$/)
  equal(result.views, 0)
  console.log('\nThe policy allows')
  for (const { service, method, path } of gateway.requests) {
    const arn = `arn:aws:execute-api:us-east-1:123456789012:${service}/prod/${method}${path}`
    const grant = grants.find((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(arn))
    ok(grant, `the policy does not allow ${arn}`)
    console.log(`  ${service}: ${method} ${path} by ${grant}`)
  }
  equal(gateway.requests.length, services.length)
})
