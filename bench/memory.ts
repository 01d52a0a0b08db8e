/**
 * Peak memory of one large body: how much higher the resident set of a process climbs (`maxRSS`, which the kernel counts)
 * that sends it, than that of the same process sending two bytes. The caller's own body is part of it, as are copies,
 * and garbage that nobody has collected yet.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ClientName } from './clients.ts'
import { environment } from './fixture.ts'
import { progress, withServer } from './rounds.ts'
import { median } from './stats.ts'

export interface MemoryTask {
  readonly client: ClientName
  readonly size: number
  readonly isText?: boolean
}

/** Bytes: of the process, and of heap and buffers above what they were before. */
export interface Peak {
  readonly resident: number
  readonly held: number
}

const SMALL = 2

/** Peaks above those of a small body, as multiples of the body's size; medians of interleaved processes. */
export async function measureMemory<Name extends string>(
  tasks: Readonly<Record<Name, MemoryTask>>,
  rounds: number,
): Promise<Record<Name, Peak>> {
  const names = Object.keys(tasks) as Name[]
  const peaks = Object.fromEntries(names.map((name) => [name, [] as Peak[]])) as Record<Name, Peak[]>
  await withServer(async (url) => {
    for (let round = 1; round <= rounds; round += 1) {
      progress(`memory: ${round} of ${rounds}`)
      for (const name of names) {
        const task = tasks[name]
        const small = await sendIn({ ...task, size: SMALL }, url)
        const large = await sendIn(task, url)
        const resident = (large.resident - small.resident) / task.size
        peaks[name].push({ resident, held: (large.held - small.held) / task.size })
      }
    }
  })
  progress()
  const of = (name: Name, what: keyof Peak) => median(peaks[name].map((peak) => peak[what]))
  return Object.fromEntries(
    names.map((name) => [name, { resident: of(name, 'resident'), held: of(name, 'held') }]),
  ) as Record<Name, Peak>
}

async function sendIn(task: MemoryTask, url: string): Promise<Peak> {
  const child = fork(join(import.meta.dirname, 'memory-child.ts'), [JSON.stringify(task)], { env: environment(url) })
  const ended = once(child, 'exit')
  const [peak] = await Promise.race([once(child, 'message'), ended])
  await ended
  if (typeof peak !== 'object') throw new Error(`${task.client} has not sent its body`)
  return peak
}
