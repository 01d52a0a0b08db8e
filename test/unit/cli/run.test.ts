import type { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { HELP } from '../../../src/cli/help.ts'
import { runHere } from './context.ts'

const manifest = readFileSync(join(import.meta.dirname, '..', '..', '..', 'package.json'), 'utf8')
const { version } = JSON.parse(manifest)

describe('the command', () => {
  it('helps', async () => {
    expect(await runHere(['doctor', '--help'])).toEqual(
      expect.objectContaining({ code: 0, stdout: HELP.doctor, stderr: '' }),
    )
  })

  it('prints its version', async () => {
    expect(await runHere(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
  })

  it('explains wrong usage', async () => {
    expect(await runHere(['calll'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'no such command: calll; did you mean call?\nSee middy-signed-services --help\n',
    })
  })
})

it('the process ends with the exit code, at once by SIGINT, and not by a closed pipe', async () => {
  const { argv } = process
  process.argv = ['node', 'main.ts', '--version']
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
  const write = vi.spyOn(process.stdout, 'write')
  write.mockImplementation(((_text: string, done?: () => void) => done?.()) as never)
  const listeners = new Map<string, () => void>()
  for (const [name, emitter] of Object.entries<EventEmitter>({
    process,
    stdout: process.stdout,
    stderr: process.stderr,
  })) {
    vi.spyOn(emitter, 'on').mockImplementation((event, listener) => {
      listeners.set(`${name} ${String(event)}`, listener)
      return emitter
    })
  }
  onTestFinished(() => {
    process.argv = argv
    vi.restoreAllMocks()
  })
  await import('../../../src/cli/main.ts')
  expect(write.mock.calls.map(([text]) => text)).toEqual([`${version}\n`, ''])
  expect(exit.mock.calls).toEqual([[0]])
  expect([...listeners.keys()]).toEqual(['process SIGINT', 'stdout error', 'stderr error'])
  listeners.get('stdout error')?.()
  listeners.get('stderr error')?.()
  expect(exit).toHaveBeenCalledTimes(1)
  listeners.get('process SIGINT')?.()
  expect(exit).toHaveBeenLastCalledWith(130)
})
