/** Two of the examples, deployed as a user's are, with local services behind them. */
import { copyFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type GatewayRequest,
  type LocalGateway,
  type RouteRequest,
  type Routes,
  startLocalGateway,
} from '../../../src/testing/index.ts'
import { compile, createProject } from '../package/project.ts'
import { startProxy, type TcpProxy } from './proxy.ts'
import { type Runtime, startRuntime } from './ric.ts'
import { type Invocation, type RuntimeApi, startRuntimeApi } from './runtime-api.ts'

const examples = join(import.meta.dirname, '..', '..', '..', 'examples')

/** A function, an event for it, and the expected result of one invocation. Each id is used once. */
export interface Example {
  readonly name: string
  readonly event: (id: string) => unknown
  /** Whether a result belongs to that event. */
  readonly isRight: (answer: unknown, id: string) => boolean
  readonly calls: readonly string[]
}

/** POST, POST, GET and PUT, one after the other. */
export const publishBlogPost: Example = {
  name: 'publish-blog-post',
  event: (id) => ({ userId: id, topic: 'Lambda' }),
  isRight: (answer, id) => (answer as { jobId?: unknown }).jobId === `job-${id}`,
  calls: [
    'ai POST /generate/blog-post',
    'integration POST /publish/blog',
    'background GET /analytics/views',
    'admin PUT',
  ],
}

/** Four GETs side by side, none of which is retried. */
export const healthCheck: Example = {
  name: 'health-check',
  event: () => ({}),
  isRight: (answer) => (answer as { statusCode?: unknown }).statusCode === 200,
  calls: ['ai', 'integration', 'background', 'admin'].map((service) => `${service} GET /health`),
}

/** Puts the examples into a folder, beside the package as npm installs it: built and packed. */
export function deploy(): { readonly taskRoot: string; readonly remove: () => void } {
  const project = createProject()
  const { folder: taskRoot, remove } = project
  try {
    const files = ['publish-blog-post.ts', 'functions/health-check.ts'].map((file) => {
      const name = basename(file).replace(/ts$/, 'mts')
      copyFileSync(join(examples, file), join(taskRoot, name))
      return name
    })
    compile(project, ['--module', 'nodenext'], files)
    return { taskRoot, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** What is deployed, and how its services behave. */
export interface DeploymentOptions {
  readonly taskRoot: string
  readonly example: Example
  /** Variables beside those that every function has. */
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds that a service takes to respond; default: 0. */
  readonly delay?: () => number
}

/** A function in its runtime, with everything around it. */
export interface Deployment {
  readonly example: Example
  readonly api: RuntimeApi
  readonly runtime: Runtime
  readonly gateway: LocalGateway
  /** Between the function and the gateway. */
  readonly proxy: TcpProxy
  /** The most calls that were at the gateway at the same time. */
  readonly maxCalls: () => number
}

/** As many one at a time, and as many side by side. */
export const INVOCATIONS = Number(process.argv[2] ?? 300)

/** Milliseconds that a scenario may take: 10,000 invocations one at a time take a minute. */
const SCENARIO_MS = Math.max(60_000, INVOCATIONS * 30)

/** Runs `use` with a function that is being started. */
export async function withFunction<T>(
  { taskRoot, example, env, delay = () => 0 }: DeploymentOptions,
  use: (deployment: Deployment) => Promise<T>,
): Promise<T> {
  const { services, maxCalls } = createServices(delay)
  const gateway = await startLocalGateway({ services })
  const { port } = new URL(gateway.url)
  const [proxy, api] = await Promise.all([startProxy(Number(port)), startRuntimeApi()])
  const viaProxy = ([name, value]: [string, string]) => [name, value.replace(`:${port}/`, `:${proxy.port}/`)]
  const runtime = startRuntime(
    taskRoot,
    {
      ...Object.fromEntries(Object.entries(gateway.env).map(viaProxy)),
      AWS_LAMBDA_RUNTIME_API: api.address,
      _HANDLER: `${example.name}.handler`,
      ...env,
    },
    api.fail,
  )
  const timer = setTimeout(() => api.fail(new Error(`Not done within ${SCENARIO_MS} ms`)), SCENARIO_MS)
  try {
    return await use({ example, api, runtime, gateway, proxy, maxCalls })
  } finally {
    clearTimeout(timer)
    await runtime.stop()
    await Promise.all([api.close(), proxy.close(), gateway.close()])
  }
}

/** What the examples call. */
function createServices(delay: () => number): {
  readonly services: Readonly<Record<string, Routes>>
  readonly maxCalls: () => number
} {
  let calls = 0
  let maxCalls = 0
  const slowly = (answer: (json: unknown) => unknown) => async (request: RouteRequest) => {
    calls += 1
    maxCalls = Math.max(maxCalls, calls)
    const ms = delay()
    if (ms > 0) await sleep(ms)
    calls -= 1
    return answer(request.json)
  }
  const health = { 'GET /health': slowly(() => ({ status: 'healthy' })) }
  const generate = slowly((json) => ({ jobId: `job-${(json as { userId: string }).userId}` }))
  return {
    services: {
      ai: { ...health, 'POST /generate/blog-post': generate },
      integration: { ...health, 'POST /publish/blog': slowly(() => ({ success: true })) },
      background: { ...health, 'GET /analytics/views': slowly(() => ({ views: 7 })) },
      admin: { ...health, 'PUT /audit/:id': slowly(() => undefined) },
    },
    maxCalls: () => maxCalls,
  }
}

export interface Finding {
  readonly invocations: number
  readonly calls: number
  readonly verified: number
  readonly traces: number
  /** What is not as it must be; nothing where all is well. */
  readonly problems: readonly string[]
}

/** Checks that the gateway received every call of the invocations once, with its own trace. */
export async function inspect(
  { example, api, gateway: { requests } }: Deployment,
  invocations: ReadonlyMap<string, Invocation>,
): Promise<Finding> {
  const problems: string[] = []
  const byTrace = Map.groupBy(requests, ({ headers }) => headers['x-amzn-trace-id'])
  for (const [id, { traceId, answer }] of invocations) {
    const settled = await answer.catch((error: Error) => error)
    if (settled instanceof Error) problems.push(`${id} failed: ${settled.message.slice(0, 300)}`)
    else if (!example.isRight(settled, id)) problems.push(`${id} answered ${JSON.stringify(settled)}`)
    const own = byTrace.get(traceId) ?? []
    byTrace.delete(traceId)
    for (const call of example.calls) {
      const times = own.filter((request) => describe(request).startsWith(call)).length
      if (times !== 1) problems.push(`${id}: ${call} came ${times} times`)
    }
    if (own.length > example.calls.length) problems.push(`${id}: ${own.length} calls`)
    const foreign = own.map(idOf).find((other) => other !== undefined && other !== id)
    if (foreign !== undefined) problems.push(`${id}: its trace came with a call of ${foreign}`)
  }
  for (const [trace, { length }] of byTrace) problems.push(`${length} calls with the trace ${trace}`)
  const unverified = requests.filter(({ signature }) => !signature.verified)
  for (const request of unverified) problems.push(`${describe(request)}: signature refused`)
  if (api.strayAnswers() > 0) problems.push(`${api.strayAnswers()} results of no running invocation`)
  return {
    invocations: invocations.size,
    calls: requests.length,
    verified: requests.length - unverified.length,
    traces: new Set(requests.map(({ headers }) => headers['x-amzn-trace-id'])).size,
    problems,
  }
}

function describe({ service, method, path }: GatewayRequest): string {
  return `${service} ${method} ${path}`
}

/** The event's id, where a call carries it. */
function idOf({ json, searchParams }: GatewayRequest): string | undefined {
  const { userId } = Object(json) as { userId?: string }
  return userId ?? searchParams.jobId?.replace(/^job-/, '')
}
