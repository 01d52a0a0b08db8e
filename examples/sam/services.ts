/** The four services, each a function behind an API, reduced to what the caller needs. */
import { randomUUID } from 'node:crypto'
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'

/** The part of an event that these services read. API Gateway has authorized the caller. */
export type ServiceEvent = Pick<APIGatewayProxyEvent, 'body' | 'pathParameters' | 'queryStringParameters'>

export type Service = (event: ServiceEvent) => Promise<APIGatewayProxyResult>

/** Starts a job that writes a post. */
export const ai: Service = async ({ body }) => {
  const { userId, topic } = parse(body)
  return respond({ userId, topic }, { jobId: randomUUID() })
}

/** Publishes a generated post. */
export const integration: Service = async ({ body }) => {
  const { userId, contentId, platforms } = parse(body)
  return respond({ userId, contentId, platforms }, { success: true })
}

/** Counts the views of a post. */
export const background: Service = async ({ queryStringParameters }) => {
  const jobId = queryStringParameters?.jobId
  return respond({ jobId }, { views: 0 })
}

/** Records who published a post. */
export const admin: Service = async ({ body, pathParameters }) => {
  const { userId, platforms } = parse(body)
  return respond({ jobId: pathParameters?.jobId, userId, platforms }, { stored: true })
}

function parse(body: string | null): Readonly<Record<string, unknown>> {
  return JSON.parse(body ?? '{}')
}

/** 400 if a needed value is missing, else 200 with the result. */
function respond(needed: Readonly<Record<string, unknown>>, result: object): APIGatewayProxyResult {
  const missing = Object.keys(needed).filter((name) => needed[name] === undefined)
  if (missing.length > 0)
    return { statusCode: 400, body: JSON.stringify({ message: `Missing: ${missing.join(', ')}` }) }
  return { statusCode: 200, body: JSON.stringify(result) }
}
