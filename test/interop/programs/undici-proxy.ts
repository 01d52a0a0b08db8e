/** Calls through a proxy, which comes from the environment or from a ProxyAgent as global dispatcher. */
import { createServices } from '../../../src/index.ts'

const { PROXY_AGENT_URL } = process.env
if (PROXY_AGENT_URL !== undefined) {
  // On Node.js 22, the import alone replaces the dispatcher that Node.js made for the environment's proxy.
  const { ProxyAgent, setGlobalDispatcher } = await import('undici')
  setGlobalDispatcher(new ProxyAgent(PROXY_AGENT_URL))
}
const { ai, integration } = createServices({ services: ['ai', 'integration'] })
await ai.post('jobs', { json: { topic: 'ü' } }).json()
await integration.get('jobs/tls').json()
// Connections to the proxy keep the process alive.
process.exit()
