/** The four services, each a function behind an API: as little as the caller needs of them. */
import { randomUUID } from 'node:crypto'
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'

/** What these services look at of a request. Who calls, API Gateway has checked. */
export type ServiceEvent = Pick<APIGatewayProxyEvent, 'body' | 'pathParameters' | 'queryStringParameters'>

export type Service = (event: ServiceEvent) => Promise<APIGatewayProxyResult>

/** Takes the order for a post. */
export const ai: Service = async ({ body }) => {
  const { userId, topic } = parse(body)
  return answer({ userId, topic }, { jobId: randomUUID() })
}

/** Publishes what the AI service wrote. */
export const integration: Service = async ({ body }) => {
  const { userId, contentId, platforms } = parse(body)
  return answer({ userId, contentId, platforms }, { success: true })
}

/** Counts the views of a post. */
export const background: Service = async ({ queryStringParameters }) => {
  const jobId = queryStringParameters?.jobId
  return answer({ jobId }, { views: 0 })
}

/** Keeps record of who published what. */
export const admin: Service = async ({ body, pathParameters }) => {
  const { userId, platforms } = parse(body)
  return answer({ jobId: pathParameters?.jobId, userId, platforms }, { stored: true })
}

function parse(body: string | null): Readonly<Record<string, unknown>> {
  return JSON.parse(body ?? '{}')
}

/** The answer to a request that has what it needs. */
function answer(needed: Readonly<Record<string, unknown>>, result: object): APIGatewayProxyResult {
  const missing = Object.keys(needed).filter((name) => needed[name] === undefined)
  if (missing.length > 0)
    return { statusCode: 400, body: JSON.stringify({ message: `Missing: ${missing.join(', ')}` }) }
  return { statusCode: 200, body: JSON.stringify(result) }
}
