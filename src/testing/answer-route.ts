import { Failure } from './faults.ts'
import { Reply } from './reply.ts'
import type { RouteAnswer, RouteRequest } from './routes.ts'

/** What a route answers to a request. Rejects with what the route's function throws. */
export async function answerRoute(answer: RouteAnswer, request: RouteRequest): Promise<Reply | Failure> {
  const value: unknown = await (typeof answer === 'function' ? answer(request) : answer)
  if (value instanceof Reply || value instanceof Failure) return value
  return new Reply(value === undefined ? 204 : 200, value, {})
}

/** Tells the author of a test that a route failed. The code under test sees a failure of the service only. */
export function tellFailedRoute(owner: string, service: string, key: string, error: unknown): void {
  console.error(`${owner}: the route '${key}' of service '${service}' failed:`, error)
}
