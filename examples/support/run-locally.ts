import type { ServicesContext } from 'middy-signed-services'
import { type LocalGateway, type LocalGatewayOptions, startLocalGateway } from 'middy-signed-services/testing'

/**
 * Sets the environment variables of a local gateway, then calls `run`. Functions read their variables at cold start, so
 * `run` imports them. An error of `run` ends the process with exit code 1.
 */
export async function runLocally(
  services: LocalGatewayOptions['services'],
  run: (gateway: LocalGateway) => Promise<void>,
): Promise<void> {
  const gateway = await startLocalGateway({ services })
  try {
    Object.assign(process.env, gateway.env)
    await run(gateway)
    console.log(`\nThe gateway saw\n${gateway.requests.map(describe).join('\n')}`)
  } finally {
    await gateway.close()
  }
}

/** As much of an invocation's context as the functions need; the middleware adds the services. */
export function localContext(): ServicesContext {
  return { awsRequestId: 'local', getRemainingTimeInMillis: () => 10_000 } as ServicesContext
}

function describe({ service, method, path, status, signature }: LocalGateway['requests'][number]): string {
  const verdict = signature.verified ? 'signature verified' : signature.errorType
  return `  ${service}: ${method} ${path}: ${status || 'no response'}, ${verdict}`
}
