/** Runs one of `programs/` as a Lambda function with active tracing, in its own process, beside services and a daemon. */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { type GatewayRequest, type LocalGateway, startLocalGateway } from '../../src/testing/index.ts'
import { TLS_CERTIFICATE, TLS_KEY } from '../support/tls-certificate.ts'

const TRACE_ROOT = '1-67f1a2b3-0123456789abcdef01234567'

/** What Lambda hands to the program. */
export const OWN_TRACE = `Root=${TRACE_ROOT};Parent=0123456789abcdef;Sampled=1;Lineage=1:a87bd80c:0`

/** Milliseconds for a program: on a busy machine, loading the packages alone takes seconds. */
export const PROGRAM_TIMEOUT = 40_000

/** A document as the X-Ray daemon receives it. */
export interface Subsegment {
  readonly id: string
  readonly name: string
  readonly parent_id?: string
  readonly trace_id?: string
  readonly namespace?: string
  readonly http?: { readonly request?: { readonly method?: string }; readonly response?: { readonly status?: number } }
  readonly error?: boolean
  readonly fault?: boolean
  readonly subsegments?: readonly Subsegment[]
}

/** A request as it came off the wire. */
export interface SeenRequest {
  /** Service and path, without the query: `/ai/jobs/1`. */
  readonly path: string
  readonly verified: boolean
  /** Values of X-Amzn-Trace-Id, one for each line of the head that has this name, in any case. */
  readonly traces: readonly string[]
  readonly traceparents: readonly string[]
  readonly signedHeaders: readonly string[]
  /** `fetch` is any implementation of undici, `node` the package's own transport. */
  readonly sentBy: 'node' | 'fetch' | undefined
  readonly json: unknown
}

export interface ProgramResult {
  readonly requests: readonly SeenRequest[]
  /** What the daemon received, nested subsegments too. */
  readonly subsegments: readonly Subsegment[]
  /** What the program printed, as JSON. */
  readonly notes: Readonly<Record<string, unknown>>
}

export interface ProgramOptions {
  readonly args?: readonly string[]
  /** One of the programs, run before the program itself with `--import`. */
  readonly preload?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program under the Node.js that runs the tests, until it has nothing left to do. */
export async function runProgram(name: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  const { args = [], preload, env } = options
  await using gateway = await startServices()
  await using tls = await startTlsFront(gateway)
  await using daemon = await startDaemon()
  const fileOf = (program: string) => join(import.meta.dirname, 'programs', `${program}.ts`)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...(preload === undefined ? [] : ['--import', fileOf(preload)]), fileOf(name), ...args],
    {
      timeout: PROGRAM_TIMEOUT - 5_000,
      env: {
        ...process.env,
        ...gateway.env,
        INTEGRATION_SERVICE_API_URL: `${tls.url}/integration`,
        NODE_EXTRA_CA_CERTS: tls.certificate,
        AWS_XRAY_DAEMON_ADDRESS: daemon.address,
        // Tracers look at these to see that they run in Lambda.
        AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
        LAMBDA_TASK_ROOT: '/var/task',
        _HANDLER: 'index.handler',
        _X_AMZN_TRACE_ID: OWN_TRACE,
        ...env,
      },
    },
  )
  return {
    requests: gateway.requests.map(toSeenRequest),
    subsegments: await daemon.readSubsegments(),
    notes: JSON.parse(stdout || '{}'),
  }
}

/** Each fault has its own route. */
async function startServices(): Promise<LocalGateway> {
  const gateway = await startLocalGateway({
    services: {
      ai: {
        'GET /jobs/:id': ({ params }) => params,
        'POST /jobs': ({ json }) => ({ got: json }),
        'GET /busy': {},
        'GET /denied': {},
        'GET /hang/:id': {},
        'GET /hang-in-body': {},
        'GET /reset': {},
        'GET /half': {},
      },
      integration: { 'GET /jobs/:id': ({ params }) => params },
    },
  })
  gateway.fail('ai GET /busy', { status: 503, times: 1 })
  gateway.fail('ai GET /denied', 'access-denied')
  gateway.fail('ai GET /hang/:id', 'hang')
  gateway.fail('ai GET /hang-in-body', 'hang-in-body')
  gateway.fail('ai GET /reset', 'reset-after-read')
  gateway.fail('ai GET /half', 'half-answer')
  return gateway
}

/** Passes decrypted bytes on to the gateway as they are. */
async function startTlsFront({ url }: LocalGateway) {
  const server = createServer({ cert: TLS_CERTIFICATE, key: TLS_KEY }, (socket) => {
    const upstream = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => upstream.destroy()).pipe(upstream)
    upstream.on('error', () => socket.destroy()).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-interop-'))
  const certificate = join(folder, 'certificate.pem')
  writeFileSync(certificate, TLS_CERTIFICATE)
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    certificate,
    async [Symbol.asyncDispose]() {
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

async function startDaemon() {
  const documents: Subsegment[] = []
  const socket = createSocket('udp4')
  socket.on('message', (message) => documents.push(JSON.parse(message.toString().split('\n')[1] as string)))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    /** What was sent before, by a process that has ended. */
    async readSubsegments() {
      await sleep(50)
      return documents.flatMap(flatten)
    },
    async [Symbol.asyncDispose]() {
      socket.close()
    },
  }
}

/** A subsegment and those that it contains, each with the parent that it would name if it were sent alone. */
function flatten(one: Subsegment): Subsegment[] {
  const { subsegments = [], ...own } = one
  return [own, ...subsegments.flatMap((child) => flatten({ parent_id: one.id, ...child }))]
}

export function toSeenRequest({ service, path, rawHeaders, headers, signature, json }: GatewayRequest): SeenRequest {
  const agent = headers['user-agent']
  return {
    path: `/${service}${path}`,
    verified: signature.verified,
    traces: valuesOf(rawHeaders, 'x-amzn-trace-id'),
    traceparents: valuesOf(rawHeaders, 'traceparent'),
    signedHeaders: /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [],
    sentBy: agent === 'middy-signed-services' ? 'node' : headers['sec-fetch-mode'] ? 'fetch' : undefined,
    json,
  }
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}

/** The requests for a path, of which there must be at least one. */
export function requestsTo({ requests }: ProgramResult, path: string): readonly SeenRequest[] {
  const found = requests.filter((request) => request.path === path)
  expect(found.length, path).toBeGreaterThan(0)
  return found
}

/** Fails unless each request carries one trace, whose parent is a separate subsegment for a remote call. */
export function expectOwnSubsegments({ subsegments }: ProgramResult, requests: readonly SeenRequest[]): Subsegment[] {
  const parents = requests.map(({ traces }) => {
    expect(traces).toEqual([expect.stringMatching(/^Root=1-67f1a2b3-0123456789abcdef01234567;Parent=[\da-f]{16};/)])
    return /Parent=([\da-f]{16})/.exec(traces[0] ?? '')?.[1]
  })
  expect(new Set(parents).size).toBe(requests.length)
  return parents.map((parent) => {
    const subsegment = subsegments.find(({ id }) => id === parent)
    expect(subsegment).toMatchObject({ namespace: 'remote' })
    return subsegment as Subsegment
  })
}
