import { isDeepStrictEqual } from 'node:util'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { SignedServicesStack } from '../../examples/cdk/stack.ts'
import { localServices, readTemplate } from '../../examples/sam/template.ts'
import { localContext } from '../../examples/support/run-locally.ts'
import { defaults } from '../../src/config/options.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { toVariable } from '../../src/config/service-variable.ts'
import { startLocalGateway } from '../../src/testing/index.ts'
import { ACCOUNT, HARD_CODED, PLACES, type Place } from './places.ts'

interface Call {
  readonly service: string
  readonly method: string
  readonly path: string
}

interface Statement {
  readonly Action: string | readonly string[]
  readonly Effect: string
  readonly Resource: string
}

/** The properties that the claims read, each of some types of resources. */
interface Properties {
  readonly AuthorizationType: string
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> }
  readonly HttpMethod: string
  readonly ManagedPolicyArns: readonly string[]
  readonly ParentId: string
  readonly PathPart: string
  readonly PolicyDocument: { readonly Statement: readonly Statement[] }
  readonly ResourceId: string
  readonly RestApiId: string
  readonly Role: string
  readonly Roles: readonly string[]
  readonly SourceArn: string
  readonly TracingConfig?: { readonly Mode: string }
  readonly TracingEnabled?: boolean
}

type Claim = readonly [claim: string, isTrue: boolean]

/** The same in every partition. */
const SERVICE_PRINCIPAL = /"(lambda|apigateway)\.amazonaws\.com"/g

/** The template as text. The package check bundles the functions; here, nothing needs their code. */
let text: string

/** The calls of the handler. */
let calls: readonly Call[]

beforeAll(async () => {
  // Seconds of the CDK's own checks, which the package check runs.
  vi.stubEnv('CDK_VALIDATION', 'false')
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } })
  text = JSON.stringify(Template.fromStack(new SignedServicesStack(app, 'SignedServices')).toJSON())
  const gateway = await startLocalGateway({ services: await localServices(readTemplate()) })
  for (const [name, value] of Object.entries(gateway.env)) vi.stubEnv(name, value)
  try {
    const { handler } = await import('../../examples/publish-blog-post.ts')
    await handler({ userId: 'u-1', topic: 'SigV4' }, localContext())
    calls = gateway.requests
  } finally {
    vi.unstubAllEnvs()
    await gateway.close()
  }
}, 60_000)

describe('the stack', () => {
  it('fits the code', () => {
    expect(brokenClaims(text)).toEqual([])
  })

  it('has four services and their caller', () => {
    const template = Template.fromJSON(JSON.parse(text))
    template.resourceCountIs('AWS::ApiGateway::RestApi', 4)
    template.resourceCountIs('AWS::Lambda::Function', 5)
    template.allResourcesProperties('AWS::ApiGateway::Method', { AuthorizationType: 'AWS_IAM' })
    template.allResourcesProperties('AWS::Lambda::Function', { Runtime: 'nodejs24.x', Architectures: ['arm64'] })
    template.hasOutput('CallerFunction', {})
  })

  it.each<[change: string, text: string | RegExp, replacement: string, claim: string]>([
    ['a route open to all', '"AWS_IAM"', '"NONE"', 'takes signed requests alone'],
    ['a grant too wide', '/PUT/audit/*', '/PUT/*', 'PUT /audit/* is granted'],
    ['a grant for another route', '/GET/analytics/views', '/GET/analytics/*', 'GET /analytics/views is granted'],
    ['an action too wide', '"execute-api:Invoke"', '"execute-api:*"', 'POST /generate/blog-post is granted'],
    ['a right that no call needs', '"xray:PutTraceSegments"', '"s3:GetObject"', 'the caller may do nothing else'],
    ['a variable misspelled', 'INTEGRATION_SERVICE', 'INTEGRATIONS_SERVICE', 'the variables are those of the defaults'],
    ['a URL without its scheme', '"https://"', '"http://"', 'the URLs are valid: '],
    [
      'a URL of another API',
      /(AI_SERVICE_API_URL.*?"Ref":")aiapi\w+/,
      '$1elsewhere',
      'POST /generate/blog-post has a route',
    ],
    ['a function that is not traced', '"Mode":"Active"', '"Mode":"PassThrough"', 'is traced'],
    ['an API that is not traced', '"TracingEnabled":true', '"TracingEnabled":false', 'is traced'],
    ['a path misspelled', '"PathPart":"views"', '"PathPart":"view"', 'GET /analytics/views has a route'],
    ['a route that is not called', '"HttpMethod":"PUT"', '"HttpMethod":"ANY"', 'each route is called'],
    ['a permission for other routes', /(.*)\/PUT\/audit\//, '$1/PUT/', 'API Gateway may invoke'],
    ['a region', '{"Ref":"AWS::Region"}', '"us-gov-east-1"', 'us-gov-east-1 is not written down'],
  ])('does not with %s', (_change, from, replacement, claim) => {
    const changed = text.replace(from, replacement)
    expect(changed).not.toBe(text)
    expect(brokenClaims(changed)).toContainEqual(expect.stringContaining(claim))
  })
})

/** The claims that do not hold. */
function brokenClaims(json: string): readonly string[] {
  const claims = [
    ...PLACES.flatMap((place) => claimsAbout(json, place)),
    ...(json.replace(SERVICE_PRINCIPAL, '').match(HARD_CODED) ?? []).map(
      (text): Claim => [`${text} is not written down`, false],
    ),
  ]
  return claims.flatMap(([claim, isTrue]) => (isTrue ? [] : [claim]))
}

function claimsAbout(json: string, place: Place): readonly Claim[] {
  const { byId, ofType } = resourcesOf(json, place)
  const functions = ofType('AWS::Lambda::Function')
  const caller = functions.find(({ id }) => id.startsWith('publishblogpost'))?.properties
  if (caller === undefined) return [['there is a caller', false]]
  const { NODE_OPTIONS: _, ...variables } = caller.Environment.Variables
  const methods = ofType('AWS::ApiGateway::Method')
  const routes = methods.map(({ properties: { HttpMethod, RestApiId, ResourceId } }) => ({
    api: RestApiId,
    method: HttpMethod,
    path: pathOf(ResourceId, byId),
  }))
  const policies = ofType('AWS::IAM::Policy').map(({ properties: { Roles, PolicyDocument } }) => ({
    isOfCaller: caller.Role === `${Roles[0]}.Arn`,
    statements: PolicyDocument.Statement,
  }))
  const arnOf = (api: string, route: string) =>
    `arn:${place.partition}:execute-api:${place.region}:${ACCOUNT}:${api}/prod/${route}`
  const claims: Claim[] = [
    ...methods.map(
      ({ id, properties }): Claim => [`${id} takes signed requests alone`, properties.AuthorizationType === 'AWS_IAM'],
    ),
    ...functions.map(({ id, properties }): Claim => [`${id} is traced`, properties.TracingConfig?.Mode === 'Active']),
    ...ofType('AWS::ApiGateway::Stage').map(
      ({ id, properties }): Claim => [`${id} is traced`, properties.TracingEnabled === true],
    ),
    ['each route is called', routes.every((route) => calls.some((call) => serves(route, call)))],
    [
      'API Gateway may invoke each service for its route',
      isDeepStrictEqual(
        ofType('AWS::Lambda::Permission').map(({ properties }) => properties.SourceArn),
        routes.map(({ api, method, path }) => arnOf(api, `${method}${path.replace(/\{\w+\}/g, '*')}`)),
      ),
    ],
  ]

  const names = defaults.services.map(toVariable)
  if (!isDeepStrictEqual(Object.keys(variables).sort(), names.sort())) {
    return [...claims, ['the variables are those of the defaults', false]]
  }
  let config: ReturnType<typeof resolveConfig>
  try {
    config = resolveConfig({}, 'signedServices', variables)
  } catch (error) {
    return [...claims, [`the URLs are valid: ${(error as Error).message}`, false]]
  }

  const expected = calls.map((call): Statement & { readonly claim: string } => {
    const { base, region, signingName } = config.services.get(call.service) ?? {}
    const api = `${base?.hostname.split('.')[0]}`
    const route = routes.find((each) => each.api === api && serves(each, call))
    claims.push(
      [`${call.method} ${call.path} has a route`, route !== undefined],
      [`${call.service}: the URL has the stage`, base?.path === '/prod'],
      [`${call.service}: signed for ${place.region}`, region === place.region && signingName === 'execute-api'],
    )
    const path = route?.path.replace(/\{\w+\}/g, '*') ?? call.path
    const resource = arnOf(api, `${call.method}${path}`)
    return {
      claim: `${call.method} ${path} is granted`,
      Action: 'execute-api:Invoke',
      Effect: 'Allow',
      Resource: resource,
    }
  })
  const trace = { Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], Effect: 'Allow', Resource: '*' }
  const statements = policies.find(({ isOfCaller }) => isOfCaller)?.statements ?? []
  const others = policies.filter(({ isOfCaller }) => !isOfCaller)
  return [
    ...claims,
    ...expected.map(({ claim, ...grant }): Claim => [claim, statements.some((each) => isDeepStrictEqual(each, grant))]),
    [
      'the caller may do nothing else',
      isDeepStrictEqual(statements, [trace, ...expected.map(({ claim: _, ...grant }) => grant)]),
    ],
    ['the services may do nothing', others.every(({ statements }) => isDeepStrictEqual(statements, [trace]))],
    [
      'no role has more than the logs',
      ofType('AWS::IAM::Role').every(({ properties }) => isLogsAlone(properties.ManagedPolicyArns)),
    ],
  ]
}

const isLogsAlone = (arns: readonly string[]) =>
  arns.length === 1 && arns[0]?.endsWith(':iam::aws:policy/service-role/AWSLambdaBasicExecutionRole')

const serves = (route: { method: string; path: string }, { method, path }: { method: string; path: string }) =>
  route.method === method && new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path)

/** The resources of a template by id, with the values of a region instead of references. Ids are host names, too. */
function resourcesOf(json: string, { partition, region, domain }: Place) {
  const { Resources } = JSON.parse(json) as { Resources: Record<string, { Type: string; Properties: object }> }
  const values: Readonly<Record<string, string>> = {
    'AWS::Partition': partition,
    'AWS::Region': region,
    'AWS::URLSuffix': domain,
    'AWS::AccountId': ACCOUNT,
  }
  const nameOf = (id: string) => (Resources[id]?.Type === 'AWS::ApiGateway::Stage' ? 'prod' : id.toLowerCase())
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve)
    if (typeof value !== 'object' || value === null) return value
    const { Ref, 'Fn::Join': join, 'Fn::GetAtt': attribute } = value as Record<string, unknown>
    if (typeof Ref === 'string') return values[Ref] ?? nameOf(Ref)
    if (Array.isArray(join)) return (resolve(join[1]) as string[]).join(join[0])
    if (Array.isArray(attribute)) return `${nameOf(attribute[0])}.${attribute[1]}`
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]))
  }
  const all = Object.entries(Resources).map(([id, { Type, Properties }]) => ({
    id: id.toLowerCase(),
    type: Type,
    properties: resolve(Properties) as Properties,
  }))
  return {
    ofType: (type: string) => all.filter((each) => each.type === type),
    byId: new Map(all.map(({ id, properties }) => [id, properties])),
  }
}

/** The path of a resource of an API, from the names of its parts. */
function pathOf(id: string, byId: ReadonlyMap<string, Properties>): string {
  const { PathPart, ParentId } = byId.get(id) ?? {}
  return PathPart === undefined || ParentId === undefined ? '' : `${pathOf(ParentId, byId)}/${PathPart}`
}
