import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** An endpoint for clients of the AWS SDK, for one test. Responds to each request with what `answer` returns for its body. */
export async function useAwsEndpoint(contentType: string, answer: (body: string) => string) {
  const bodies: string[] = []
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    bodies.push(body)
    response.setHeader('content-type', contentType).end(answer(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    bodies,
    /** For `awsClientOptions`. */
    options: {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'AKIDBASE', secretAccessKey: 'base' },
    },
  }
}
