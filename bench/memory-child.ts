/** Sends one body after some small ones; tells the peak of the process's memory, and of what JavaScript held of it. */
import { clients } from './clients.ts'
import type { Body } from './fixture.ts'
import type { MemoryTask, Peak } from './memory.ts'

const { client, size, isText }: MemoryTask = JSON.parse(process.argv[2] as string)
const call: (body?: Body) => Promise<unknown> = await clients[client]()
const send = (bytes: number) => call(isText ? 'x'.repeat(bytes) : new Uint8Array(bytes).fill(120))
for (let count = 0; count < 20; count += 1) await send(2)

const measureHeld = () => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
const heldBefore = measureHeld()
let held = 0
let isSending = true
const look = () => {
  held = Math.max(held, measureHeld() - heldBefore)
  // In every turn of the event loop.
  if (isSending) setImmediate(look)
}
look()
await send(size)
look()
isSending = false

// Linux counts it in kilobytes, and so does Node.js everywhere.
const peak: Peak = { resident: process.resourceUsage().maxRSS * 1024, held }
process.send?.(peak, () => process.exit())
