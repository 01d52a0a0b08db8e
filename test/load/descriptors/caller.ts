/**
 * Makes many calls at once, then one more: `caller.ts <url> <calls> [<maxConnections>]`. Prints how often each outcome
 * occurred, and the outcome of the last call. The process is meant to have few file descriptors.
 */
import { createServices, type ServiceError, type ServiceNetworkError } from '../../../src/index.ts'

const [url = '', calls, maxConnections] = process.argv.slice(2)

const { ai } = createServices({
  services: { ai: url },
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  circuitBreaker: { failureThreshold: 1 },
  retry: { delay: () => 0 },
  ...(maxConnections !== undefined && { maxConnections: Number(maxConnections) }),
})

async function outcomeOfCall(): Promise<string> {
  try {
    await ai.post('jobs', { json: {} }).json()
    return 'ok'
  } catch (error) {
    const { networkCode, code } = error as ServiceError & Partial<ServiceNetworkError>
    return networkCode ?? code
  }
}

const outcomes: Record<string, number> = {}
const settled = await Promise.all(Array.from({ length: Number(calls) }, outcomeOfCall))
for (const outcome of settled) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
console.log(JSON.stringify({ outcomes, last: await outcomeOfCall() }))
