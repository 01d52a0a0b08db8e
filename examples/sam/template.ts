/** Reads the parts of `template.yaml` that are needed to run its functions on this machine. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type RouteRequest, type Routes, reply } from 'middy-signed-services/testing'
import { parse, type ScalarTag } from 'yaml'
import type { Service, ServiceEvent } from './services.ts'

export interface Template {
  readonly apis: ReadonlyMap<string, Api>
  readonly functions: ReadonlyMap<string, LambdaFunction>
  /** Logical ids of all resources. */
  readonly resources: readonly string[]
  /** The whole template, as written. */
  readonly source: unknown
}

/** Properties of an `AWS::Serverless::Api`. */
interface Api {
  readonly StageName?: string
  readonly TracingEnabled?: boolean
  readonly Auth?: Properties
}

/** An `AWS::Serverless::Function`. */
export interface LambdaFunction {
  readonly Properties: {
    readonly CodeUri: string
    readonly Handler: string
    readonly Timeout: number
    readonly Tracing?: string
    readonly Environment: { readonly Variables: Properties }
    readonly Events?: Readonly<Record<string, RouteEvent>>
    readonly Policies?: readonly { readonly Statement: readonly Statement[] }[]
  }
  readonly Metadata: {
    readonly BuildMethod: string
    readonly BuildProperties: { readonly EntryPoints: readonly [string] } & Properties
  }
}

/** A route that a function serves. */
interface RouteEvent {
  readonly Type: string
  readonly Properties: {
    readonly RestApiId: { readonly Ref: string }
    readonly Method: string
    readonly Path: string
    readonly Auth?: unknown
  }
}

interface Statement {
  readonly Effect: string
  readonly Action: string
  readonly Resource: readonly unknown[]
}

/** Values of names in the template: logical ids and pseudo parameters. */
type References = Readonly<Record<string, string>>

type Properties = Readonly<Record<string, unknown>>

const folder = import.meta.dirname

export const templateText = readFileSync(join(folder, 'template.yaml'), 'utf8')

const INTRINSICS: ScalarTag[] = [
  { tag: '!Ref', resolve: (name) => ({ Ref: name }) },
  { tag: '!Sub', resolve: (text) => ({ 'Fn::Sub': text }) },
]

/** Reads a template as SAM does: merges its Globals into each function and API. */
export function readTemplate(text: string = templateText): Template {
  const source = parse(text, { customTags: INTRINSICS })
  const ofType = <Resource>(type: string, globals: Properties) =>
    Object.entries<{ Type: string; Properties: Properties }>(source.Resources)
      .filter(([, { Type }]) => Type === type)
      .map(([id, resource]): [string, Resource] => [
        id,
        { ...resource, Properties: merge(globals, resource.Properties) } as Resource,
      ])
  const apis = ofType<{ Properties: Api }>('AWS::Serverless::Api', source.Globals.Api)
  return {
    apis: new Map(apis.map(([id, { Properties }]) => [id, Properties])),
    functions: new Map(ofType<LambdaFunction>('AWS::Serverless::Function', source.Globals.Function)),
    resources: Object.keys(source.Resources),
    source,
  }
}

/** Replaces `!Ref` and `!Sub` by values. @throws Error for a name without a value */
export function resolve(value: unknown, references: References): unknown {
  const look = (name: string) => {
    const found = references[name]
    if (found === undefined) throw new Error(`nothing has the name ${name}`)
    return found
  }
  if (Array.isArray(value)) return value.map((item) => resolve(item, references))
  if (!isObject(value)) return value
  if (typeof value.Ref === 'string') return look(value.Ref)
  const text = value['Fn::Sub']
  if (typeof text === 'string') return text.replace(/\$\{([^}]+)\}/g, (_, name) => look(name))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, references)]))
}

/** The function that calls the services, and the API that each of its variables leads to. */
export function findCaller({ functions }: Template) {
  for (const caller of functions.values()) {
    const services = Object.entries(caller.Properties.Environment.Variables).flatMap(([variable, url]) => {
      const name = /^(.+)_SERVICE_API_URL$/.exec(variable)?.[1]?.toLowerCase()
      const api = isObject(url) ? /\$\{(\w+)\}/.exec(`${url['Fn::Sub']}`)?.[1] : undefined
      return name !== undefined && api !== undefined ? [{ name, variable, api }] : []
    })
    if (services.length > 0) return { caller, services }
  }
  throw new Error('no function has the URL of a service')
}

/** The routes that functions serve. */
export function findRoutes({ functions }: Template) {
  return [...functions.values()].flatMap((server) =>
    Object.values(server.Properties.Events ?? {}).map(({ Properties: { RestApiId, Method, Path } }) => ({
      server,
      api: RestApiId.Ref,
      method: Method,
      path: Path,
    })),
  )
}

/** ARNs of the routes that a function may call, with `*` for any text. */
export function findGrants({ Properties: { Policies = [] } }: LambdaFunction, references: References) {
  const statements = Policies.flatMap(({ Statement }) => Statement)
  return statements.flatMap(({ Resource }) => resolve(Resource, references) as string[])
}

/** The entry point for esbuild. */
export function entryPoint({ Properties, Metadata }: LambdaFunction): string {
  return join(folder, Properties.CodeUri, Metadata.BuildProperties.EntryPoints[0])
}

/** The handler of a function, from its source or from another file, such as its bundle. */
export async function loadHandler(loaded: LambdaFunction, file: string = entryPoint(loaded)): Promise<unknown> {
  const module = await import(pathToFileURL(file).href)
  return module[loaded.Properties.Handler.split('.')[1] as string]
}

/** Routes for a local gateway, with the template's functions behind them. */
export async function localServices(template: Template, load = loadHandler): Promise<Record<string, Routes>> {
  const routes = await Promise.all(
    findRoutes(template).map(async ({ server, api, method, path }) => {
      const handler = (await load(server)) as Service
      const key = `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`
      return [api, key, (request: RouteRequest) => invoke(handler, request)] as const
    }),
  )
  const ofApi = (id: string) => routes.flatMap(([api, ...route]) => (api === id ? [route] : []))
  return Object.fromEntries(
    findCaller(template).services.map(({ name, api }) => [name, Object.fromEntries(ofApi(api))]),
  )
}

/** Converts a request to the function's event, and its result to a response, as API Gateway does. */
async function invoke(handler: Service, { body, params, searchParams }: RouteRequest): Promise<unknown> {
  const event: ServiceEvent = {
    body: body.byteLength > 0 ? Buffer.from(body).toString() : null,
    pathParameters: orNull(params),
    queryStringParameters: orNull(searchParams),
  }
  const result = await handler(event)
  return reply(result.statusCode, result.body, { 'content-type': 'application/json' })
}

/** An event has null instead of an empty object. */
function orNull<T extends object>(values: T): T | null {
  return Object.keys(values).length > 0 ? values : null
}

/** If both have a value, the resource's value wins. */
function merge(globals: Properties, own: Properties): Properties {
  const merged = Object.entries(own).map(([key, value]) => {
    const common = globals[key]
    return [key, isObject(common) && isObject(value) ? merge(common, value) : value]
  })
  return { ...globals, ...Object.fromEntries(merged) }
}

function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
