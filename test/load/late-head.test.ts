import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { listen } from '../support/helpers.ts'

/** A second is so many in the caller's process. */
const SPEED = 120
const DELAY_MS = 3_000
/** On a busy machine, the bound of `fetch` comes late. */
const FETCH_DELAY_MS = 12_000

async function call(client: 'ours' | 'fetch') {
  let requests = 0
  const server = createServer((_, response) => {
    requests += 1
    setTimeout(() => response.end('{"ok":true}'), client === 'ours' ? DELAY_MS : FETCH_DELAY_MS)
  })
  const url = `http://127.0.0.1:${await listen(server)}`
  const file = join(import.meta.dirname, 'late-head', 'caller.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [file, client, url, String(SPEED)])
  return { outcome: stdout.trim(), requests }
}

it('a response that begins after six minutes is waited for within the timeout, and asked for once', async () => {
  const [ours, fetch] = await Promise.all([call('ours'), call('fetch')])
  expect(ours).toEqual({ outcome: '{"ok":true}', requests: 1 })
  // Whose own bound is five minutes.
  expect(fetch.outcome).toContain('HeadersTimeoutError')
})
