/**
 * Calls a service and leaves its responses unread: `unread.ts <url> bounded|unbounded`. Ends when nothing keeps it, long
 * before its calls would time out.
 */
import { createAi } from './client.ts'

const [url = '', bound] = process.argv.slice(2)
const ai = createAi(url)
const timeout = bound === 'unbounded' ? false : 60_000

await ai.get('jobs', { timeout })
const { body } = await ai.post('jobs', { json: {}, timeout })
const response = await ai.get('jobs', { timeout })
const clone = response.clone()
console.log(JSON.stringify([body?.locked, clone.bodyUsed]))
