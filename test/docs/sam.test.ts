import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import * as services from '../../examples/sam/services.ts'
import {
  entryPoint,
  findCaller,
  findGrants,
  findRoutes,
  type LambdaFunction,
  loadHandler,
  localServices,
  readTemplate,
  resolve,
  type Template,
  templateText,
} from '../../examples/sam/template.ts'
import { localContext } from '../../examples/support/run-locally.ts'
import { defaults } from '../../src/config/options.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { toVariable } from '../../src/config/service-variable.ts'
import { createServices } from '../../src/index.ts'
import { startLocalGateway } from '../../src/testing/index.ts'
import { useGateway } from '../support/helpers.ts'
import { ACCOUNT, HARD_CODED, PLACES, type Place } from './places.ts'

const template = readTemplate()
const { caller } = findCaller(template)
const EVENT = { userId: 'u-1', topic: 'SigV4' }

const OTHER_ROUTE = '        Other: { Type: Api, Properties: { RestApiId: !Ref AiApi, Method: GET, Path: /other } }'

interface Call {
  readonly service: string
  readonly method: string
  readonly path: string
}

/** What the handler really calls, of the template's own services. */
let calls: readonly Call[]

beforeAll(async () => {
  const gateway = await startLocalGateway({ services: await localServices(template) })
  for (const [name, value] of Object.entries(gateway.env)) vi.stubEnv(name, value)
  try {
    const { handler } = await import('../../examples/publish-blog-post.ts')
    expect(await handler(EVENT, localContext())).toEqual({ jobId: expect.stringMatching(/^[\da-f-]{36}$/), views: 0 })
    expect(await loadHandler(caller)).toBe(handler)
    expect(gateway.requests.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    calls = gateway.requests
  } finally {
    vi.unstubAllEnvs()
    await gateway.close()
  }
})

describe('the template', () => {
  it('fits the code', () => {
    expect(brokenClaims(templateText)).toEqual([])
  })

  it.each<[change: string, text: string | RegExp, replacement: string, claim: string]>([
    ['a call without its grant', /\n.*POST\/publish\/blog/, '', 'POST /publish/blog is granted'],
    ['a grant too wide', 'PUT/audit/*', 'PUT/*', 'PUT /audit/{jobId} is granted'],
    ['a grant that no call needs', /( +)- (.*)PUT.*/, '$&\n$1- $2GET/audit/*', 'each grant is for a call'],
    ['a grant for another stage', '{AiApi}/prod', '{AiApi}/test', 'POST /generate/blog-post is granted'],
    ['an action too wide', ':Invoke\n', ':*\n', 'PublishBlogPost may invoke, and nothing else'],
    ['a service that may do more', 'services.ai', 'services.ai\n      Policies: []', 'AiService may do nothing'],
    ['a variable misspelled', 'INTEGRATION_S', 'INTEGRATIONS_S', 'the variables are those of the default services'],
    ['a variable of another API', '{AdminApi}.', '{AiApi}.', 'PUT /audit/'],
    ['a URL without its stage', 'Suffix}/prod', 'Suffix}', 'ai: its URL is that of AiApi and its stage'],
    ['a URL without its region', /execute-api\.[^.]+/, 'execute-api', 'the URLs are valid: '],
    [
      'a URL of another region',
      /execute-api\.[^.]+/,
      'execute-api.sa-east-1',
      'ai: signed as execute-api for eu-central-1',
    ],
    ['a path misspelled', 'Path: /publish/blog', 'Path: /publish/blogs', 'POST /publish/blog has a route'],
    ['another method', 'Method: GET', 'Method: POST', 'GET /analytics/views has a route'],
    ['a route wider than its grant', 'Path: /publish/blog', 'Path: /publish/{id}', 'POST /publish/{id} is granted'],
    ['a route that is not called', / +PublishBlog:(\n +.+){5}/, `$&\n${OTHER_ROUTE}`, 'GET /other is called'],
    ['an API open to all', 'AWS_IAM', 'NONE', 'AiApi takes signed requests, and invokes in its own name'],
    ['an API that invokes in the name of others', /InvokeRole: .*/, '', 'AiApi takes signed requests, and invokes'],
    [
      'a route open to all',
      'Method: PUT',
      'Auth: {}\n            Method: PUT',
      'AdminService serves routes as the API does',
    ],
    ['an implicit API', 'Type: Api', 'Type: HttpApi', 'AiService serves routes as the API does'],
    ['a circle', 'services.ai', 'services.ai\n      Description: !Ref AiApi', 'AiService refers to no API'],
    ['an API that is not traced', 'Enabled: true', 'Enabled: false', 'AiApi is traced'],
    ['a function that is not traced', 'Tracing: Active', 'Tracing: PassThrough', 'PublishBlogPost is traced'],
    ['a file that does not exist', 's: [publish-blog-post', 's: [publish-post', 'PublishBlogPost is built of its file'],
    ['a handler of another file', 'services.admin', 'service.admin', 'AdminService is built of its file'],
    ['a name of nothing', '!Ref Logs', '!Ref Log', 'each name is defined: nothing has the name Log'],
    ['an account', /\$\{AWS::AccountId\}/, ACCOUNT, `${ACCOUNT} is not written down`],
    ['a region', /\$\{AWS::Region\}/, 'us-gov-east-1', 'us-gov-east-1 is not written down'],
    ['a partition', /\$\{AWS::Partition\}/, 'aws', 'arn:aws is not written down'],
    ['a key', '--enable-source-maps', 'AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE is not written down'],
  ])('does not with %s', (_change, text, replacement, claim) => {
    const changed = templateText.replace(text, replacement)
    expect(changed).not.toBe(templateText)
    expect(brokenClaims(changed)).toContainEqual(expect.stringContaining(claim))
  })

  it('gives the caller more time than its services take one after the other', () => {
    const servers = findRoutes(template).map(({ server }) => server.Properties.Timeout)
    expect(caller.Properties.Timeout).toBeGreaterThan(servers.reduce((sum, seconds) => sum + seconds))
  })

  it('puts out the name of the caller', () => {
    expect(template.functions.get('PublishBlogPost')).toBe(caller)
    expect(template.source).toHaveProperty('Outputs.CallerFunction.Value', { Ref: 'PublishBlogPost' })
  })
})

describe('the services', () => {
  it.each([
    ['ai', services.ai, 'userId, topic'],
    ['integration', services.integration, 'userId, contentId, platforms'],
    ['background', services.background, 'jobId'],
    ['admin', services.admin, 'jobId, userId, platforms'],
  ] as const)('%s says what a request lacks', async (_name, service, missing) => {
    const body = JSON.stringify({ message: `Missing: ${missing}` })
    const event = { body: null, pathParameters: null, queryStringParameters: null }
    expect(await service(event)).toEqual({ statusCode: 400, body })
  })

  it('respond to errors with JSON, too', async () => {
    await useGateway(await localServices(template))
    const { ai } = createServices({ services: ['ai'] })
    const data = { message: 'Missing: userId, topic' }
    await expect(ai.post('generate/blog-post')).rejects.toMatchObject({ status: 400, data })
  })
})

/** What a template must be to fit the code and the calls, as far as it is not. */
function brokenClaims(text: string): readonly string[] {
  const checked = readTemplate(text)
  const unresolved = PLACES.flatMap((place) => errorOf(() => resolve(checked.source, references(checked, place))))
  if (unresolved.length > 0) return unresolved.map((problem) => `each name is defined: ${problem}`)
  const claims = [
    ...claimsOfApis(checked),
    ...claimsOfFunctions(checked),
    ...PLACES.flatMap((place) => [...claimsOfVariables(checked, place), ...claimsOfGrants(checked, place)]),
    ...(text.match(HARD_CODED) ?? []).map((hardCoded): Claim => [`${hardCoded} is not written down`, false]),
  ]
  return claims.flatMap(([claim, isTrue]) => (isTrue ? [] : [claim]))
}

type Claim = readonly [claim: string, isTrue: boolean]

/** What the template's names stand for in a region. */
function references({ resources }: Template, { partition, region, domain }: Place): Record<string, string> {
  return {
    'AWS::Partition': partition,
    'AWS::Region': region,
    'AWS::URLSuffix': domain,
    'AWS::AccountId': ACCOUNT,
    ...Object.fromEntries(resources.map((id, index) => [id, `a1b2c3d4${index}`])),
  }
}

function claimsOfApis({ apis }: Template): readonly Claim[] {
  return [...apis].flatMap(([id, { Auth, TracingEnabled }]): Claim[] => [
    [
      `${id} takes signed requests, and invokes in its own name`,
      isDeepStrictEqual(Auth, { DefaultAuthorizer: 'AWS_IAM', InvokeRole: 'NONE' }),
    ],
    [`${id} is traced`, TracingEnabled === true],
  ])
}

function claimsOfFunctions(checked: Template): readonly Claim[] {
  const { services } = findCaller(checked)
  return [...checked.functions].flatMap(([id, { Properties, Metadata }]): Claim[] => {
    const { Events, Policies, ...rest } = Properties
    const isCaller = Properties.Handler === caller.Properties.Handler
    const statements = Policies?.flatMap(({ Statement }) => Statement.map(({ Resource: _, ...right }) => right))
    return [
      [`${id} is traced`, Properties.Tracing === 'Active'],
      [
        `${id} is built of its file`,
        Metadata.BuildMethod === 'esbuild' &&
          existsSync(entryPoint({ Properties, Metadata })) &&
          basename(entryPoint({ Properties, Metadata })) === `${fileOf({ Properties, Metadata })}.ts`,
      ],
      isCaller
        ? [
            `${id} may invoke, and nothing else`,
            isDeepStrictEqual(statements, [{ Effect: 'Allow', Action: 'execute-api:Invoke' }]),
          ]
        : [`${id} may do nothing`, Policies === undefined],
      [
        `${id} serves routes as the API does`,
        Object.values(Events ?? {}).every(
          ({ Type, Properties: route }) =>
            Type === 'Api' && isDeepStrictEqual(Object.keys(route).sort(), ['Method', 'Path', 'RestApiId']),
        ),
      ],
      [
        `${id} refers to no API`,
        Events === undefined || !services.some(({ api }) => JSON.stringify(rest).includes(`"${api}"`)),
      ],
    ]
  })
}

function claimsOfVariables(checked: Template, place: Place): readonly Claim[] {
  const { caller, services } = findCaller(checked)
  const ids = references(checked, place)
  const { NODE_OPTIONS: _, ...variables } = resolve(caller.Properties.Environment.Variables, ids) as NodeJS.ProcessEnv
  const expected = defaults.services.map(toVariable)
  if (!isDeepStrictEqual(Object.keys(variables).sort(), expected.sort())) {
    return [['the variables are those of the default services', false]]
  }
  const problems = errorOf(() => resolveConfig({}, 'signedServices', variables))
  if (problems.length > 0) return [[`the URLs are valid: ${problems}`, false]]
  const config = resolveConfig({}, 'signedServices', variables)
  return services.flatMap(({ name, api }): Claim[] => {
    const { base, region, signingName } = config.services.get(name) ?? {}
    const stage = checked.apis.get(api)?.StageName
    return [
      [
        `${name}: its URL is that of ${api} and its stage`,
        base?.hostname.startsWith(`${ids[api]}.`) === true && base.path === `/${stage}`,
      ],
      [`${name}: signed as execute-api for ${place.region}`, signingName === 'execute-api' && region === place.region],
    ]
  })
}

/** The grants are the routes, and the routes are what is called. */
function claimsOfGrants(checked: Template, place: Place): readonly Claim[] {
  const { caller, services } = findCaller(checked)
  const ids = references(checked, place)
  const grants = findGrants(caller, ids)
  const arn = (api: string, method: string, path: string) => {
    const stage = checked.apis.get(api)?.StageName
    return `arn:${place.partition}:execute-api:${place.region}:${ACCOUNT}:${ids[api]}/${stage}/${method}${path}`
  }
  const called = calls.map(({ service, method, path }) => {
    const api = services.find(({ name }) => name === service)?.api
    const route = findRoutes(checked).find(
      (each) => each.api === api && each.method === method && fits(each.path, path),
    )
    return { method, path, route, grant: route && arn(route.api, method, route.path.replace(/\{\w+\}/g, '*')) }
  })
  return [
    ...called.map(
      ({ method, path, route, grant }): Claim =>
        route === undefined
          ? [`${method} ${path} has a route`, false]
          : [`${method} ${route.path} is granted`, grants.includes(`${grant}`)],
    ),
    [
      'each grant is for a call',
      grants.length === calls.length && grants.every((each) => called.some(({ grant }) => grant === each)),
    ],
    ...findRoutes(checked).map(
      ({ server, method, path }): Claim => [
        `${method} ${path} is called`,
        called.some(({ route }) => route?.server === server && route.method === method && route.path === path),
      ],
    ),
  ]
}

function fits(pattern: string, path: string): boolean {
  return new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+')}$`).test(path)
}

/** The file that Lambda looks for a handler in, without its extension. */
function fileOf({ Properties: { Handler } }: LambdaFunction): string {
  return Handler.replace(/\.\w+$/, '')
}

/** The message that a function throws, if it does. */
function errorOf(run: () => unknown): string[] {
  try {
    run()
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
