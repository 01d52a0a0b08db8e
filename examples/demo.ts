/**
 * Runs a handler through Middy against a local API Gateway. Then sends a request with a changed byte, which the gateway
 * rejects, and starts the handler without one of its variables. Exits with 1 if a check fails.
 */
import { strictEqual as equal, ok } from 'node:assert/strict'
import { request } from 'node:http'
import type { ServicesContext } from 'middy-signed-services'
import { type GatewayRequest, startLocalGateway } from 'middy-signed-services/testing'

const TRACE_ID = 'Root=1-67f1a2b3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1'

const gateway = await startLocalGateway({
  services: {
    ai: { 'POST /generate/blog-post': { jobId: 'job-1' } },
    integration: { 'POST /publish/blog': { success: true } },
    background: { 'GET /analytics/views': { views: 0 } },
    admin: { 'PUT /audit/:jobId': { stored: true } },
  },
})
try {
  Object.assign(process.env, gateway.env, { _X_AMZN_TRACE_ID: TRACE_ID })
  await callFourServices()
  await tamperWithOneByte()
  await forgetAVariable()
} finally {
  await gateway.close()
}

async function callFourServices(): Promise<void> {
  const { handler } = await import('./publish-blog-post.ts')
  const context = { awsRequestId: 'demo', getRemainingTimeInMillis: () => 10_000 } as ServicesContext
  const result = await handler({ userId: 'u-1', topic: 'SigV4' }, context)

  console.log('1. A handler calls its four sibling services\n')
  printTable([
    ['service', 'method', 'path', 'status', 'signature', 'X-Amzn-Trace-Id', 'ms'],
    ...gateway.requests.map((seen) => [
      seen.service,
      seen.method,
      seen.path,
      String(seen.status),
      seen.signature.verified ? 'verified' : seen.signature.errorType,
      `${seen.headers['x-amzn-trace-id']?.slice(0, 20)}...`,
      seen.durationMs.toFixed(1),
    ]),
  ])
  console.log(`\n   The handler returned ${JSON.stringify(result)}\n`)

  equal(JSON.stringify(result), '{"jobId":"job-1","views":0}')
  equal(gateway.requests.map(({ service }) => service).join(), 'ai,integration,background,admin')
  for (const seen of gateway.requests) {
    equal(seen.status, 200)
    ok(seen.signature.verified)
    equal(seen.headers['x-amzn-trace-id'], TRACE_ID)
  }
}

async function tamperWithOneByte(): Promise<void> {
  const seen = gateway.requests.find(({ service }) => service === 'integration') as GatewayRequest
  const body = Buffer.from(seen.body)
  body[body.indexOf('u-1') + 2] = '2'.charCodeAt(0)
  const { status, errorType, message } = await replay(seen, body)

  console.log('2. The same request to the integration service with one byte of its body changed\n')
  console.log(`   ${seen.body}\n   ${body}\n\n   ${status} ${errorType}: ${message.split('\n', 1)[0]}\n`)
  equal(status, 403)
  equal(errorType, 'InvalidSignatureException')
}

async function forgetAVariable(): Promise<void> {
  delete process.env.AI_SERVICE_API_URL
  const { default: signedServices } = await import('middy-signed-services')
  console.log('3. A cold start without AI_SERVICE_API_URL\n')
  try {
    signedServices()
  } catch (error) {
    const { name, message } = error as Error
    console.log(`   ${name}: ${message.replaceAll('\n', '\n   ')}\n`)
    equal(name, 'ServicesConfigurationError')
    ok(message.includes('AI_SERVICE_API_URL: API Gateway URL not set'))
    return
  }
  throw new Error('a missing variable was not noticed')
}

/** Sends bytes under the headers of a request that the gateway has seen. */
function replay(seen: GatewayRequest, body: Uint8Array) {
  return new Promise<{ status: number | undefined; errorType: unknown; message: string }>((resolve, reject) => {
    const { method, headers, target } = seen
    request(gateway.url + target, { method, headers }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      const { message } = JSON.parse(Buffer.concat(chunks).toString())
      resolve({ status: response.statusCode, errorType: response.headers['x-amzn-errortype'], message })
    })
      .on('error', reject)
      .end(body)
  })
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of rows)
    console.log(`   ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
}
