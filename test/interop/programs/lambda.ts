/** What a tracing package finds in a Lambda function: its variables, an X-Ray daemon, and here services to call. */
import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type LocalGateway, startLocalGateway } from '../../../src/testing/index.ts'

export const TRACE_ROOT = '1-67f1a2b3-0123456789abcdef01234567'
export const OWN_TRACE = `Root=${TRACE_ROOT};Parent=0123456789abcdef;Sampled=1;Lineage=1:a87bd80c:0`

/** A document as the daemon gets it. */
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
  readonly target: string
  readonly verified: boolean
  /** Values of X-Amzn-Trace-Id, however it was written. */
  readonly traces: readonly string[]
  readonly traceparents: readonly string[]
  readonly signedHeaders: readonly string[]
  readonly json?: unknown
}

export interface ProgramResult {
  readonly requests: readonly SeenRequest[]
  /** Those that packages sent to the daemon, their own subsegments among them. */
  readonly subsegments: readonly Subsegment[]
  /** What a program has to say besides. */
  readonly notes: Readonly<Record<string, unknown>>
}

export interface Lambda {
  readonly gateway: LocalGateway
  /** Ends everything, once the daemon has got `count` documents or has waited long enough, and prints the result. */
  readonly finish: (count: number, notes?: ProgramResult['notes']) => Promise<void>
}

/** Sets the variables: packages that read them while they load are to be imported afterwards. */
export async function startLambda(): Promise<Lambda> {
  const documents: Subsegment[] = []
  const daemon = createSocket('udp4')
  daemon.on('message', (message) => documents.push(JSON.parse(message.toString().split('\n')[1] as string)))
  await new Promise<void>((resolve) => daemon.bind(0, '127.0.0.1', resolve))
  const gateway = await startLocalGateway({
    services: { ai: { 'GET /jobs/:id': ({ params }) => params, 'POST /jobs': ({ json }) => ({ got: json }) } },
  })
  Object.assign(process.env, gateway.env, {
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${(daemon.address() as AddressInfo).port}`,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    LAMBDA_TASK_ROOT: '/var/task',
    _HANDLER: 'index.handler',
    _X_AMZN_TRACE_ID: OWN_TRACE,
  })

  const finish = async (count: number, notes: ProgramResult['notes'] = {}) => {
    for (let waits = 0; documents.length < count && waits < 100; waits += 1) await wait(20)
    const requests = gateway.requests.map(({ target, rawHeaders, headers, signature, json }): SeenRequest => {
      const valuesOf = (name: string) =>
        rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
      return {
        target,
        verified: signature.verified,
        traces: valuesOf('x-amzn-trace-id'),
        traceparents: valuesOf('traceparent'),
        signedHeaders: /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [],
        json,
      }
    })
    const result: ProgramResult = { requests, subsegments: documents.flatMap(flatten), notes }
    console.log(JSON.stringify(result))
    daemon.close()
    await gateway.close()
  }
  return { gateway, finish }
}

/** A subsegment and what it holds, each with the parent that it would name if it were sent alone. */
function flatten(one: Subsegment): Subsegment[] {
  const { subsegments = [], ...own } = one
  return [own, ...subsegments.flatMap((child) => flatten({ parent_id: one.id, ...child }))]
}
