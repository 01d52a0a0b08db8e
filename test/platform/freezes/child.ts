/**
 * `child.ts <url>` reads the names of invocations from standard input, one a line. It makes the calls of each, and writes
 * a line with their results to standard output. Between two invocations it is frozen.
 */
import { createInterface } from 'node:readline'
import { createServices } from '../../../src/index.ts'

const { ai } = createServices({
  services: { ai: { url: process.argv[2] ?? '', region: 'us-east-1', signingName: 'execute-api', retry: 0 } },
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
})
const post = (name: string) => ai.post(`${name}-post`, { json: { name } }).json()
const get = (name: string) => ai.get(`${name}-get`).json()

const INVOCATIONS: readonly ((name: string) => Promise<unknown>)[] = [
  async (name) => [await post(name), await get(name)],
  async (name) => [await get(name), await post(name)],
  (name) => Promise.all([post(name), get(name), post(`${name}-second`)]),
]

for await (const name of createInterface(process.stdin)) {
  const call = INVOCATIONS[Number(name) % INVOCATIONS.length] as (typeof INVOCATIONS)[number]
  const problem = await call(name).then(
    () => 'ok',
    (error) => `${error}, ${error.cause}`,
  )
  console.log(problem)
}
