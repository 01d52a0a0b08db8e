import type { ServicesContext } from 'middy-signed-services'
import { startLocalGateway } from 'middy-signed-services/testing'

const gateway = await startLocalGateway({
  services: { ai: { 'POST /generate/blog-post': { jobId: 'job-1' } } },
})
Object.assign(process.env, gateway.env)

// Imported here, because the middleware reads its environment variables when the module loads.
const { handler } = await import('./handler.ts')
const context = { getRemainingTimeInMillis: () => 10_000 } as ServicesContext<'ai'>
try {
  console.log(await handler({ topic: 'Signed requests' }, context))
} finally {
  for (const { method, path, status, signature } of gateway.requests) {
    console.log(method, path, status, signature.verified ? 'signature verified' : signature.message)
  }
  await gateway.close()
}
