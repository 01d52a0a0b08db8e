import { Failure } from './faults.ts'
import { Reply } from './reply.ts'
import type { RouteAnswer, RouteRequest } from './routes.ts'

/** Resolves with the reply of a route. Rejects with the error of the route's function. */
export async function answerRoute(answer: RouteAnswer, request: RouteRequest): Promise<Reply | Failure> {
  const value: unknown = await (typeof answer === 'function' ? answer(request) : answer)
  if (value instanceof Reply || value instanceof Failure) return value
  return new Reply(value === undefined ? 204 : 200, value, {})
}

/** Shows the error of a route on the console: the code under test sees only a failed service. */
export function logFailedRoute(owner: string, service: string, key: string, error: unknown): void {
  console.error(`${owner}: the route '${key}' of service '${service}' failed:`, error)
}
